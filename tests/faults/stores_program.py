"""A process that runs the embedded stores of a folder, says so, and waits to be told to stop.

`python -m tests.faults.stores_program <folder>` writes a JSON line once the stores answer, and stops them in order at
the end of its input.
"""

import json
import sys
from pathlib import Path

from argus.storage.embedded import EmbeddedStores
from argus.storage.processes import StoreStartError


def main() -> None:
    """Runs the stores."""
    try:
        with EmbeddedStores(Path(sys.argv[1])) as stores:
            facts = {
                "redis": stores.urls.redis,
                "database": stores.urls.database,
                "pids": [stores.valkey.pid, stores.postgresql.pid],
            }
            sys.stdout.write(json.dumps(facts) + "\n")
            sys.stdout.flush()
            sys.stdin.read()
    except StoreStartError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
