"""Argus, a session authority: the one place that says whether a session is good."""
