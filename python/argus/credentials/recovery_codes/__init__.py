"""Recovery codes: ten that stand in for a lost second factor, each once."""
