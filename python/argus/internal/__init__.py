"""What the Python and the Rust half of one release say to each other."""
