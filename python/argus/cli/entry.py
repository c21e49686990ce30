"""The command `argus` of an installation that may have the SDK alone."""

import sys
from importlib.util import find_spec

# One of what the extra brings along, and the first that the command needs.
_NEEDED = "typer"


def main() -> None:
    """Runs the command, or says what to install."""
    if find_spec(_NEEDED) is None:
        sys.stderr.write(
            "argus: this is the SDK alone; for the server: pip install 'argus-session-authority[server]'\n"
        )
        sys.exit(2)
    from argus.cli.main import main as run

    run()
