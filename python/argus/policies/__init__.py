"""Policies: how long sessions live, how many there may be, how refresh tokens rotate."""
