"""Wordings: the words of notices that tenants say themselves."""
