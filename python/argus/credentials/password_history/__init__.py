"""The passwords that a user had before: what a new one must differ from."""
