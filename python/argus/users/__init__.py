"""Users and the identifiers that they sign in with."""
