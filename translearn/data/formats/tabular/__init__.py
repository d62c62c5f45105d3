"""Tables of images: CSV and Parquet, with paths or with the images themselves."""
