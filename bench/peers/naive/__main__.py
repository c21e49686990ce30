"""Serves until SIGTERM, and says where: a JSON line."""

import argparse
import asyncio
import json
import signal
import sys

import grpc
import uvloop
from redis.asyncio import Redis

from argus.v1 import session_service_pb2_grpc, token_service_pb2_grpc
from bench.peers.naive.service import CLIENT_ID, CLIENT_SECRET, SessionService, TokenService
from bench.peers.naive.store import Sessions
from bench.peers.naive.tokens import Tokens

# Longer than any pause of a busy machine: the deadline of a call ends the wait.
_TIMEOUT_SECONDS = 10


async def serve(options: argparse.Namespace) -> None:
    """Serves until SIGTERM."""
    own = Tokens.new("https://naive.test", "https://api.test", bits=options.bits, refresh=options.refresh)
    store = Sessions(Redis.from_url(options.redis, socket_timeout=_TIMEOUT_SECONDS))
    # The RPCs that no benchmark calls answer UNIMPLEMENTED.
    token_service = TokenService(own, store, client_id=CLIENT_ID, client_secret=CLIENT_SECRET)  # type: ignore[abstract]
    session_service = SessionService(own, store)  # type: ignore[abstract]
    server = grpc.aio.server()
    token_service_pb2_grpc.add_TokenServiceServicer_to_server(token_service, server)
    session_service_pb2_grpc.add_SessionServiceServicer_to_server(session_service, server)
    port = server.add_insecure_port("127.0.0.1:0")
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await server.start()
    sys.stdout.write(json.dumps({"event": "server.started", "grpc": f"127.0.0.1:{port}"}) + "\n")
    sys.stdout.flush()
    await stop.wait()
    await server.stop(1)


def main() -> None:
    """Reads the options and serves."""
    parser = argparse.ArgumentParser(prog="python -m bench.peers.naive", description=__doc__)
    parser.add_argument("--redis", required=True, help="redis:// or unix:// address")
    parser.add_argument("--bits", type=int, default=2048, help="size of RSA keys")
    parser.add_argument("--refresh", choices=("RS256", "EdDSA"), default="RS256", help="what signs refresh tokens")
    uvloop.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
