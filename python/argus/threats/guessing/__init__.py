"""Guessing of passwords and client secrets: failures are counted, and every further try has to wait longer."""
