"""Refresh rotation under everything that can happen to it."""
