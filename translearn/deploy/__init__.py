"""A trained model in use: loaded, with its preprocessing and calibration."""
