"""Sends messages to endpoints, signed as Standard Webhooks has it."""

import asyncio
import ssl
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import httpcore
from standardwebhooks import Webhook

from argus.notifications.endpoints.addresses import AddressRules, EndpointRefusedError

SENT: Final = "SENT"
GONE: Final = "ENDPOINT_GONE"
_GOOD: Final = range(200, 300)
_REDIRECTS: Final = range(300, 400)
_STATUS_GONE: Final = 410
_MOST_READ: Final = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What is sent.

    Attributes:
        message_id: The same for every try of it.
        time: When it is sent: receivers refuse what is old.
        secrets: It is signed with each of them.
    """

    url: str
    message_id: str
    time: datetime
    body: str = field(repr=False)
    secrets: Sequence[str] = field(repr=False)

    def headers(self) -> dict[str, str]:
        """Those of Standard Webhooks, and the media type."""
        signatures = [Webhook(one).sign(self.message_id, self.time, self.body) for one in self.secrets]
        return {
            "content-type": "application/json",
            "user-agent": "Argus",
            "webhook-id": self.message_id,
            "webhook-timestamp": str(int(self.time.timestamp())),
            "webhook-signature": " ".join(signatures),
        }


class WebhookSender:
    """Posts messages. No redirect is followed, no more of an answer is read than a little, and nothing takes long."""

    def __init__(self, rules: AddressRules, *, ca_file: Path | None, timeout: timedelta) -> None:
        self._rules = rules
        self._tls = ssl.create_default_context(cafile=ca_file)
        self._timeout = timeout.total_seconds()

    async def send(self, message: Message) -> str:
        """Sends a message once; what came of it: `SENT`, or why it did not arrive. Nothing that the endpoint says."""
        try:
            async with asyncio.timeout(self._timeout):
                return _outcome(await self._post(message))
        except (TimeoutError, httpcore.TimeoutException):
            return "TIMEOUT"
        except EndpointRefusedError as error:
            return f"ADDRESS_{error.rule}"
        except (httpcore.ConnectError, httpcore.NetworkError) as error:
            return "TLS" if isinstance(error.__cause__, ssl.SSLError) or "SSL" in str(error) else "CONNECT"
        except (httpcore.ProtocolError, httpcore.UnsupportedProtocol, OSError):
            return "PROTOCOL"

    async def _post(self, message: Message) -> int:
        # A connection each: what a name leads to is looked at every time, and nobody's stays open.
        backend = _GuardedBackend(self._rules)
        pool = httpcore.AsyncConnectionPool(ssl_context=self._tls, network_backend=backend, max_connections=1)
        headers = [(name.encode(), value.encode()) for name, value in message.headers().items()]
        parts = urlsplit(message.url)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        url = httpcore.URL(
            scheme=parts.scheme.encode(), host=(parts.hostname or "").encode(), port=parts.port, target=target.encode()
        )
        try:
            async with pool, pool.stream("POST", url, headers=headers, content=message.body.encode()) as answer:
                seen = 0
                async for chunk in answer.aiter_stream():
                    seen += len(chunk)
                    if seen > _MOST_READ:
                        break
                return int(answer.status)
        finally:
            # The pool leaves one open whose greeting of TLS was cut short.
            await backend.close()


class _GuardedBackend(httpcore.AsyncNetworkBackend):
    """Connects to addresses that were looked at, and to no other: a name may lead elsewhere a moment later."""

    def __init__(self, rules: AddressRules) -> None:
        self._rules = rules
        self._backend = httpcore.AnyIOBackend()
        self._streams: list[httpcore.AsyncNetworkStream] = []

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connects to the first address that answers."""
        addresses = await self._rules.resolve(host, port)
        for number, address in enumerate(addresses, 1):
            try:
                stream = await self._backend.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if number == len(addresses):
                    raise
            else:
                self._streams.append(stream)
                return stream
        raise httpcore.ConnectError("the name leads to no address")

    async def sleep(self, seconds: float) -> None:
        """Waits."""
        await self._backend.sleep(seconds)

    async def close(self) -> None:
        """Closes whatever is open still."""
        for stream in self._streams:
            await stream.aclose()


def _outcome(status: int) -> str:
    if status in _GOOD:
        return SENT
    if status == _STATUS_GONE:
        return GONE
    return "REDIRECT" if status in _REDIRECTS else f"HTTP_{status}"
