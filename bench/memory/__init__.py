"""What a session costs in Redis, with all that is kept for it. Run it with `make bench-memory`."""
