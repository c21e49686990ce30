"""Password hashes, Argus's own and those that were made elsewhere: how they are written, checked and bounded."""
