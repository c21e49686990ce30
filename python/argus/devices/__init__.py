"""Devices: what a user signs in on, and how one is known again."""
