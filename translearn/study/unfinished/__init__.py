"""A study that has no verdict yet: the model that it has all the same, and how far it came."""
