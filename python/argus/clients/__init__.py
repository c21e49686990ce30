"""Clients: services that call Argus, and applications that users sign in to."""
