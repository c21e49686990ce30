"""What makes access tokens be over before they expire, for those who check them by themselves."""
