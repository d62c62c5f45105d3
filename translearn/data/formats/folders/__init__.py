"""Folders of images: which folders are splits and classes, and the walk over them."""
