"""Deliveries: what is sent, was sent, or was given up."""
