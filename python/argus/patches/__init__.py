"""Patch levels: how far what runs on a device is behind what its makers have released."""
