"""The keys that tokens are signed with, and the installation's own secrets."""
