"""Formats of sources, a module each, which list the examples and read their bytes."""
