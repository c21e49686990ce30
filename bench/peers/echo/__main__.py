"""Serves until SIGTERM, and says where: a JSON line."""

import argparse
import json
import signal
import sys

from argus._core import Echo


def main() -> None:
    """Reads the answer and serves."""
    parser = argparse.ArgumentParser(prog="python -m bench.peers.echo", description=__doc__)
    parser.add_argument("--answer", required=True, help="what every call is answered with, encoded, as hex")
    # Nobody else takes it, so that waiting for it costs nothing.
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    server = Echo("127.0.0.1:0", bytes.fromhex(parser.parse_args().answer))
    sys.stdout.write(json.dumps({"event": "server.started", "grpc": f"127.0.0.1:{server.port}"}) + "\n")
    sys.stdout.flush()
    signal.sigwait([signal.SIGTERM])


if __name__ == "__main__":
    main()
