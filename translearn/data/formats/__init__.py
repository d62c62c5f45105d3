"""The formats of sources, a module each: how to list their examples and read their bytes."""
