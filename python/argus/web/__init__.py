"""The HTTP side: translates between requests and features, and decides nothing."""
