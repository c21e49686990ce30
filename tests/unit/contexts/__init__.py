"""Contexts of sessions."""
