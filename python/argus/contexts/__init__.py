"""Contexts: on which device and from where a session is used, and what a change of that does."""
