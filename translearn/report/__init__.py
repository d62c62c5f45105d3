"""What a study found, as one HTML page that opens offline: verdict first, every figure with its interval."""
