"""Threats: what attackers try, and how each is noticed."""
