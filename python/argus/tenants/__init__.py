"""Tenants: each is an issuer with keys, users and clients of its own."""
