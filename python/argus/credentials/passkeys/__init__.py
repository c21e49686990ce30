"""The passkeys of users: which there are, and the ceremonies that make and use them."""
