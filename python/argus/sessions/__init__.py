"""Sessions: the authenticated periods of users, in PostgreSQL (what is true) and in Redis (what is asked)."""
