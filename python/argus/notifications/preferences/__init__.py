"""Preferences: which notices users want."""
