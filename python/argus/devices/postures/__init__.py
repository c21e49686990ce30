"""Postures: what services have found out about the state of devices."""
