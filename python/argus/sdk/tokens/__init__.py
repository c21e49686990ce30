"""Tokens that renew themselves: of a session, and of a service."""
