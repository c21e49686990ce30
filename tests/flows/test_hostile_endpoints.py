"""Endpoints that do their worst: what comes of it, how long it takes, and that nothing else is reached by it."""

from __future__ import annotations

import asyncio
import base64
import secrets
import ssl
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from typing import TYPE_CHECKING, Final

import pytest

from argus.notifications.endpoints.addresses import AddressRules
from argus.notifications.endpoints.webhooks import Message, WebhookSender
from argus.server.private_stack import stack_over
from argus.v1 import notification_service_pb2 as pb
from tests.support.mails import mail_server
from tests.support.receivers import receiver, status
from tests.support.tls import served_from

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from argus.storage.embedded import StoreUrls
    from tests.support.stack import Stack

TIMEOUT: Final = timedelta(seconds=1)
LOOPBACK: Final = "127.0.0.0/8"
SECRET: Final = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
HEAD: Final = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
CHUNK: Final = b"400\r\n" + b"x" * 1024 + b"\r\n"


def sender(*allowed: str) -> WebhookSender:
    rules = AddressRules([ip_network(one) for one in allowed])
    return WebhookSender(rules, ca_file=None, timeout=TIMEOUT)


async def sent(url: str, *allowed: str) -> tuple[str, float]:
    """What came of a message, and how many seconds it took."""
    message = Message(url=url, message_id="m1", time=datetime.now(UTC), body="{}", secrets=[SECRET])
    begun = asyncio.get_running_loop().time()
    outcome = await sender(*allowed).send(message)
    return outcome, asyncio.get_running_loop().time() - begun


@asynccontextmanager
async def endpoint(answer: Callable[[asyncio.StreamWriter], Awaitable[None]]) -> AsyncIterator[tuple[str, list[int]]]:
    """An endpoint that answers like that as soon as somebody is there: its address, and bytes that it got rid of."""
    written: list[int] = []
    talks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talk = asyncio.current_task()
        assert talk is not None
        talks.add(talk)
        try:
            with suppress(OSError, asyncio.IncompleteReadError):
                await reader.readuntil(b"\r\n\r\n")
                written.append(0)
                await answer(writer)
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hooks", written
    finally:
        server.close()
        for talk in talks:
            talk.cancel()
        await asyncio.gather(*talks, return_exceptions=True)


async def pour(writer: asyncio.StreamWriter, head: bytes, more: bytes, pause: float = 0) -> None:
    """Says something, and then something more for ever."""
    writer.write(head)
    while True:
        writer.write(more)
        await writer.drain()
        await asyncio.sleep(pause)


@pytest.mark.parametrize(
    ("head", "more", "pause", "outcome"),
    [
        # A body without an end: a little of it is read, and the answer counts.
        (HEAD, CHUNK, 0.0, "SENT"),
        (b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 1024, 0.0, "SENT"),
        (b"HTTP/1.1 500 No\r\n\r\n", b"x" * 1024, 0.0, "HTTP_500"),
        # One that drips: nobody waits for longer than a delivery may take.
        (HEAD, b"1\r\nx\r\n", 0.05, "TIMEOUT"),
        # Heads without an end.
        (b"HTTP/1.1 200 OK\r\n", b"x-more: " + b"y" * 1024 + b"\r\n", 0.0, "PROTOCOL"),
        (b"HTTP/1.1 200 OK\r\n", b"x: y\r\n", 0.05, "TIMEOUT"),
        (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n", 0.05, "TIMEOUT"),
        (b"", b"\x00", 0.0, "PROTOCOL"),
    ],
)
async def test_nothing_that_never_ends_is_read_to_its_end(head: bytes, more: bytes, pause: float, outcome: str) -> None:
    async with endpoint(lambda writer: pour(writer, head, more, pause)) as (url, _):
        found, took = await sent(url, LOOPBACK)
    assert found == outcome
    assert took < 2 * TIMEOUT.total_seconds()


async def test_who_says_nothing_is_left() -> None:
    """After the request, or with the connection alone."""
    async with endpoint(lambda _: asyncio.sleep(3600)) as (url, _):
        found, took = await sent(url, LOOPBACK)
        assert (found, took < 2 * TIMEOUT.total_seconds()) == ("TIMEOUT", True)
        # It waits for the end of a head, and TLS for a word of its own.
        found, took = await sent(url.replace("http:", "https:"), LOOPBACK)
        assert (found, took < 2 * TIMEOUT.total_seconds()) == ("TIMEOUT", True)


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
async def test_no_redirect_is_followed(code: int) -> None:
    async with receiver() as elsewhere, receiver() as first:
        first.usual = status(code, f"location: {elsewhere.url}")
        assert (await sent(first.url, LOOPBACK))[0] == "REDIRECT"
        assert len(first.posted) == 1
        assert elsewhere.posted == []


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"])
async def test_a_name_that_leads_to_where_nothing_is_sent_is_not_connected_to(host: str) -> None:
    """Whatever was checked when the channel was made: a name may lead elsewhere by now."""
    async with endpoint(lambda _: asyncio.sleep(0)) as (url, written):
        found, _ = await sent(url.replace("127.0.0.1", host))
        assert found == "ADDRESS_PRIVATE_NETWORK"
        assert written == []


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, Path]:
    """A server's certificate, and whom to trust for it."""
    return served_from(tmp_path_factory.mktemp("authority"))


async def test_a_tenants_mail_server_speaks_starttls_under_a_certificate_that_is_trusted(
    stack: Stack, stores: StoreUrls, authority: tuple[ssl.SSLContext, Path]
) -> None:
    """It is signed in to over TLS alone; one whose certificate is a stranger's learns neither name nor password."""
    context, ca_file = authority
    kek = stack.private.settings.key_encryption_key
    async with (
        mail_server(starttls=context, asks_who=True) as server,
        stack_over(
            stores,
            clock=stack.private.clock,
            key_encryption_key=kek,
            webhook_allowed_networks=LOOPBACK,
            webhook_ca_file=ca_file,
        ) as trusting,
    ):
        for private, outcome in ((stack.private, "TLS"), (trusting, "SENT")):
            assert server.signed_in == []
            api = await private.new_tenant()
            channel = pb.Channel(
                kind=pb.CHANNEL_KIND_SMTP,
                url=f"smtp://127.0.0.1:{server.port}",
                sender="accounts@acme.example",
                username="acme",
            )
            request = pb.CreateChannelRequest(parent=api.parent, channel=channel, password="a password")
            made = await api.notifications.CreateChannel(request)
            tested = await api.notifications.TestChannel(pb.TestChannelRequest(name=made.channel.name))
            assert tested.outcome == outcome
            await api.close()
    assert server.signed_in == [("acme", "a password")]
