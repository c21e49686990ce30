"""Trust: how far devices and sessions are trusted, and in which context sessions are used."""
