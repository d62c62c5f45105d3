"""The sources of a study: obtained or pre-trained, their errors on their own data, what they cost, and limits on it."""
