"""Checks of a data set's labels, copies and pixels, made while it is ingested."""
