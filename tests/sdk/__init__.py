"""What services import, over a whole server."""
