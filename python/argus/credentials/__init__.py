"""What users prove themselves with: passwords, so far."""
