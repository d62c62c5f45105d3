"""The start of a session: the address it goes to, a local Ray's place and share, GPUs that can be used."""
