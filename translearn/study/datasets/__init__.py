"""The data sets of a study: named, ingested, compared with their source, decoded."""
