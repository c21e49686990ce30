"""The ports of the stores that Argus runs itself: theirs alone while it runs, and never a reason not to start."""

import socket
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from redis import Redis

from argus.storage.embedded import EmbeddedStores


def _port(stores: EmbeddedStores) -> int:
    port = urlsplit(stores.urls.redis).port
    assert port is not None
    return port


def test_the_port_of_a_store_that_is_away_is_given_to_nobody(tmp_path: Path) -> None:
    """It comes back where it was, as those who wait for it expect."""
    with EmbeddedStores(tmp_path / "stores") as own:
        port = _port(own)
        own.valkey.kill()
        with socket.socket() as other, pytest.raises(OSError, match="in use"):
            other.bind(("127.0.0.1", port))
        own.launch_valkey()
        own.wait()
        assert _port(own) == port
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port))


def test_a_port_that_somebody_has_taken_meanwhile_is_exchanged(tmp_path: Path) -> None:
    """The folder is begun again with its data, on another port."""
    own = EmbeddedStores(tmp_path / "stores")
    with own, Redis.from_url(own.urls.redis) as client:
        port = _port(own)
        client.set("kept", "yes")
    with socket.create_server(("127.0.0.1", port)), own, Redis.from_url(own.urls.redis) as client:
        assert _port(own) != port
        assert client.get("kept") == b"yes"
