"""What services import that verify tokens by themselves; nothing of the server comes along."""
