"""Makes the release data that Argus brings out of endoflife.date's tables and MDN's browser releases.

.venv/bin/python tools/releases.py --systems FILE --systems-date 2026-08-22 --browsers FILE --browsers-date 2026-11-16
"""

import argparse
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Final

from argus.patches.model import Releases
from argus.patches.sources import read, write

_TARGET: Final = Path(__file__).parent.parent / "python" / "argus" / "patches" / "data" / "releases.json"
# What is older than this nobody meets any more.
_OLDEST_SYSTEM: Final = date(2010, 1, 1)
_OLDEST_BROWSER: Final = date(2019, 1, 1)


def main() -> None:
    """Writes the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--systems", type=Path, required=True)
    parser.add_argument("--systems-date", type=date.fromisoformat, required=True)
    parser.add_argument("--browsers", type=Path, required=True)
    parser.add_argument("--browsers-date", type=date.fromisoformat, required=True)
    asked = parser.parse_args()
    nothing = Releases(systems_date=date.min, browsers_date=date.min)
    with_browsers = read(asked.browsers.read_text(), before=nothing, day=asked.browsers_date)
    whole = read(asked.systems.read_text(), before=with_browsers, day=asked.systems_date)
    kept = replace(
        whole,
        systems={
            family: [one for one in cycles if one.end is None or one.end >= _OLDEST_SYSTEM]
            for family, cycles in whole.systems.items()
        },
        browsers={
            family: replace(
                one, releases=[(text, day) for text, day in one.releases if one.is_over or day >= _OLDEST_BROWSER]
            )
            for family, one in whole.browsers.items()
        },
    )
    _TARGET.write_text(write(kept))
    print(f"{_TARGET}: {_TARGET.stat().st_size} bytes")


if __name__ == "__main__":
    main()
