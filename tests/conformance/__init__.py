"""Whatever door a call comes in by, it is answered alike."""
