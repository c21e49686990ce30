"""Other people's vectors, and our own attack cases, through every door."""
