"""Finds the source, the freeze depth and the learning rate with the lowest target error."""

__version__ = "0.1.0"
