"""How soon services that verify by themselves learn of an end."""
