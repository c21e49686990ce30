"""What verifications feel of a storm of logins. Run it with `make bench-storm`."""
