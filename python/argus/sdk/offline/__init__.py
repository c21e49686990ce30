"""Verifying access tokens without calling Argus."""
