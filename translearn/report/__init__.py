"""The report of a study, one HTML page that opens offline: verdict first, every figure with its interval."""
