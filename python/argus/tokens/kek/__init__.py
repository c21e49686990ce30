"""The key-encryption keys: which there are, which one encrypts, and who keeps them safe."""
