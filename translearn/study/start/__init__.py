"""The first study file of a folder of images: every choice from the data and from what this machine has."""
