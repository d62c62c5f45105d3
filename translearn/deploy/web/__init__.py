"""A trained model behind HTTP: requests, answers and a page; knows nothing of Ray."""
