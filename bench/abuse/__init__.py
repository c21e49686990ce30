"""What honest callers notice of others that mean harm."""
