"""Certificates of the door and of its callers."""

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from structlog.testing import capture_logs

from argus._core import Door, DoorCertificate
from argus.base.settings import Settings
from argus.server.front_door import BehindTheDoor, FrontDoor
from tests.support.echo import Place
from tests.support.tls import INTERNAL_NAME, certificates

UNARY = "/test.Echo/Unary"
PATIENCE = 20.0
CERTIFICATE_PARTS = (("chain", "certificate"), ("key", "key"))


@dataclass
class Asking:
    """A door that asks for client certificates."""

    open: Callable[[bool], Door]
    authority: bytes
    clients: tuple[bytes, bytes]
    strangers: tuple[bytes, bytes]


@pytest.fixture
async def asking(place: Place) -> AsyncIterator[Asking]:
    """Both kinds."""
    authority, *clients = certificates()
    _, *strangers = certificates()
    _, chain, key = place.certificates
    opened: list[Door] = []

    def open_door(requires: bool) -> Door:
        certificate = DoorCertificate(chain, key, client_authorities=authority, requires_client=requires)
        sockets: Any = {"grpc_socket": place.folder / "grpc", "http_socket": place.folder / "http"}
        opened.append(Door(place.engine, "127.0.0.1:0", certificate=certificate, **sockets))
        return opened[-1]

    yield Asking(open_door, authority, (clients[0], clients[1]), (strangers[0], strangers[1]))
    for door in opened:
        await asyncio.to_thread(door.close, 0.2)


async def called_with(
    place: Place, port: int, client: tuple[bytes, bytes] | None, *, host: str = "127.0.0.1"
) -> grpc.StatusCode:
    """How a call ends; with a client certificate or without."""
    chain, key = client or (None, None)
    trusted = grpc.ssl_channel_credentials(place.authority, key, chain)
    options = (("grpc.use_local_subchannel_pool", 1), ("grpc.ssl_target_name_override", INTERNAL_NAME))
    connection: Any = grpc.aio.secure_channel(f"{host}:{port}", trusted, options=options)
    async with connection as channel:
        try:
            await channel.unary_unary(UNARY)(b"x", timeout=PATIENCE)
        except grpc.aio.AioRpcError as error:
            return error.code()
        return grpc.StatusCode.OK


async def test_a_clients_certificate_is_told_behind_the_door(place: Place, asking: Asking) -> None:
    """By its thumbprint (RFC 8705, section 3.1); nobody else can say so."""
    port = asking.open(False).port
    assert await called_with(place, port, asking.clients) is grpc.StatusCode.OK
    der = x509.load_pem_x509_certificate(asking.clients[0])
    (told,) = place.echo.seen["x-argus-door-certificate"]
    assert isinstance(told, str)
    assert base64.urlsafe_b64decode(told + "=") == der.fingerprint(SHA256())
    assert await called_with(place, port, None) is grpc.StatusCode.OK
    assert "x-argus-door-certificate" not in place.echo.seen


async def test_without_a_certificate_that_is_required_nobody_gets_in(place: Place, asking: Asking) -> None:
    """And with one of another authority nobody at all."""
    optional, required = asking.open(False).port, asking.open(True).port
    assert await called_with(place, required, asking.clients) is grpc.StatusCode.OK
    assert await called_with(place, required, None) is grpc.StatusCode.UNAVAILABLE
    for port in (optional, required):
        assert await called_with(place, port, asking.strangers) is grpc.StatusCode.UNAVAILABLE


async def test_the_other_address_is_no_way_around_a_required_certificate(
    place: Place, asking: Asking, tmp_path: Path
) -> None:
    """It answers HTTP to everybody, and gRPC to nobody; where none is required, both."""
    files = {name: tmp_path / name for name in ("authority", "chain", "key")}
    for path, pem in zip(files.values(), (asking.authority, *place.certificates[1:]), strict=True):
        path.write_bytes(pem)
    tls: Any = {f"{one}_tls_{part}": files[name] for one in ("grpc", "http") for name, part in CERTIFICATE_PARTS}
    behind = BehindTheDoor()
    behind.grpc, behind.http = place.folder / "grpc", place.folder / "http"
    trusted = ssl.create_default_context(cadata=place.authority.decode())
    asks: Any = ("required", "optional")
    for asked in asks:
        settings = Settings(
            grpc_listen="127.0.0.1:0", grpc_client_authorities=files["authority"], grpc_client_certificate=asked, **tls
        )
        door = await FrontDoor.open(place.engine, settings.model_copy(update={"http_listen": "[::1]:0"}), behind)
        try:
            assert await called_with(place, door.grpc_port, asking.clients) is grpc.StatusCode.OK
            without = await called_with(place, door.http_port, None, host="[::1]")
            assert (without is grpc.StatusCode.OK) == (asked == "optional")
            async with httpx.AsyncClient(verify=trusted) as http:
                sent: Any = {
                    "extensions": {"sni_hostname": INTERNAL_NAME},
                    "headers": {"content-type": "application/grpc"},
                }
                assert (await http.post(f"https://[::1]:{door.http_port}/x", **sent)).status_code == 200
        finally:
            await door.close(settings.drain_time / 50)


@dataclass
class Shown:
    """A front door as a server opens it, and the files of its certificate."""

    door: FrontDoor
    chain: Path
    key: Path

    def write(self, chain: bytes, key: bytes) -> None:
        """What an administrator does."""
        self.chain.write_bytes(chain)
        self.key.write_bytes(key)

    async def serial_number(self) -> int:
        """Of the certificate that a new connection sees."""
        pem = await asyncio.to_thread(ssl.get_server_certificate, ("127.0.0.1", self.door.grpc_port))
        return x509.load_pem_x509_certificate(pem.encode()).serial_number


@pytest.fixture
async def shown(place: Place, tmp_path: Path) -> AsyncIterator[Shown]:
    """With a first certificate."""
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    chain.write_bytes(place.certificates[1])
    key.write_bytes(place.certificates[2])
    behind = BehindTheDoor()
    behind.grpc, behind.http = place.folder / "grpc", place.folder / "http"
    settings = Settings(grpc_listen="127.0.0.1:0", grpc_tls_certificate=chain, grpc_tls_key=key)
    door = await FrontDoor.open(place.engine, settings.model_copy(update={"http_listen": "127.0.0.1:0"}), behind)
    yield Shown(door, chain, key)
    await door.close(settings.drain_time / 50)
    behind.remove()


def serial_number(chain: bytes) -> int:
    """Of the first of a chain."""
    return x509.load_pem_x509_certificate(chain).serial_number


async def test_a_changed_certificate_is_shown_without_a_restart(place: Place, shown: Shown) -> None:
    """A call that is under way meanwhile goes on."""
    trusted = grpc.ssl_channel_credentials(place.authority)
    connection: Any = grpc.aio.secure_channel(f"127.0.0.1:{shown.door.grpc_port}", trusted)
    async with connection as channel:
        talk = channel.stream_stream("/test.Echo/Both")()
        await talk.write(b"before")
        assert await talk.read() == b"erofeb"
        _, chain, key = certificates()
        shown.write(chain, key)
        await shown.door.reload_certificates()
        assert await shown.serial_number() == serial_number(chain)
        expires = shown.door.certificates_expire()
        assert expires == x509.load_pem_x509_certificate(chain).not_valid_after_utc.timestamp()
        await talk.write(b"after")
        assert await talk.read() == b"retfa"
        talk.cancel()


async def test_a_certificate_that_cannot_be_used_changes_nothing(place: Place, shown: Shown) -> None:
    """The one before is shown; it is said once, and not for a pair that is half written."""
    before = serial_number(place.certificates[1])
    _, chain, key = certificates()
    with capture_logs() as log:
        shown.chain.write_bytes(chain)
        await shown.door.reload_certificates()
        assert (await shown.serial_number(), log) == (before, [])
        shown.key.write_bytes(key)
        await shown.door.reload_certificates()
        assert await shown.serial_number() == serial_number(chain)
        for spoilt in (b"", b"nonsense", chain[: len(chain) // 2]):
            shown.chain.write_bytes(spoilt)
            for _ in range(3):
                await shown.door.reload_certificates()
            assert await shown.serial_number() == serial_number(chain)
        shown.chain.unlink()
        for _ in range(3):
            await shown.door.reload_certificates()
    assert [line["event"] for line in log] == ["door.certificate_changed", *["door.certificate_refused"] * 4]
    assert not any(key.decode() in str(line) for line in log)
