"""Notifications: channels, what goes over them, in which words, and who wants to be told."""
