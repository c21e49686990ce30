"""Replays what users did in a time under another policy: by the functions that decide live."""
