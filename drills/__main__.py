"""The command `python -m drills`."""

import os

from drills import namespace

if __name__ == "__main__":
    namespace.enter()
    # Servers are started while calls are under way; no child ever uses the parent's connections.
    os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"
    from drills.cli import app

    app()
