"""Prints the tests that failed in the last run of pytest, one a line; nothing where it did not come to its end."""

import json
from pathlib import Path

_CACHE = Path(__file__).parent.parent / ".pytest_cache/v/cache/lastfailed"

if __name__ == "__main__" and _CACHE.exists():
    print("\n".join(json.loads(_CACHE.read_text())))
