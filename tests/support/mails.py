"""A mail server that keeps what it gets: Argus hands its mails over to it by SMTP, on a real socket."""

from __future__ import annotations

import asyncio
import logging
import re
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any, Final, cast

from aiosmtpd.smtp import SMTP, AuthResult, Envelope

# It logs all that it is told, which is not what Argus logs.
logging.getLogger("mail.log").setLevel(logging.CRITICAL)

_LONGEST_WAIT: Final = 30.0
_LINK: Final = re.compile(r"https?://\S+/t/(?P<tenant>[a-z0-9-]+)/account/(?P<purpose>[a-z-]+)#(?P<token>\S+)")
_CODE: Final = re.compile(r"^\s+(\d{6})\s*$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A mail as it came."""

    recipient: str
    sender: str
    message: EmailMessage

    @property
    def subject(self) -> str:
        """Its subject."""
        return str(self.message["Subject"])

    @property
    def text(self) -> str:
        """What it says to those who read text."""
        return self._part("plain")

    @property
    def html(self) -> str:
        """What it says to those who read HTML."""
        return self._part("html")

    @property
    def link(self) -> str:
        """The link in it."""
        return self._link().group(0)

    @property
    def token(self) -> str:
        """The token of the link in it."""
        return self._link()["token"]

    @property
    def code(self) -> str:
        """The code in it."""
        found = _CODE.search(self.text)
        assert found, self.text
        return found[1]

    def _link(self) -> re.Match[str]:
        found = _LINK.search(self.text)
        assert found, self.text
        assert found[0] in self.html
        return found

    def _part(self, subtype: str) -> str:
        part = self.message.get_body((subtype,))
        assert part is not None
        return str(cast("EmailMessage", part).get_content())


class MailServer:
    """Keeps mails by recipient, and does to some recipients what a test says."""

    def __init__(self) -> None:
        self.port = 0
        self.received: list[Received] = []
        self.replies: dict[str, list[str]] = {}
        """Replies to the next mails for a recipient, in the place of taking them; "" drops the connection."""
        self.tries: dict[str, int] = {}
        self.signed_in: list[tuple[str, str]] = []
        self._changed = asyncio.Condition()

    async def handle_RCPT(
        self, server: SMTP, session: Any, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Takes a recipient, or replies what it is to reply."""
        await self._count(address)
        waiting = self.replies.get(address, [])
        if waiting:
            reply = waiting.pop(0)
            if not reply:
                assert server.transport is not None
                server.transport.close()
                return "421 gone"
            return reply
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Any, envelope: Envelope) -> str:
        """Keeps a mail."""
        assert isinstance(envelope.content, bytes)
        message = message_from_bytes(envelope.content, policy=policy.default)
        async with self._changed:
            for recipient in envelope.rcpt_tos:
                self.received.append(
                    Received(
                        recipient=recipient,
                        sender=str(envelope.mail_from),
                        message=message,
                    )
                )
            self._changed.notify_all()
        return "250 kept"

    def of(self, recipient: str) -> list[Received]:
        """What has come for a recipient, in order."""
        return [one for one in self.received if one.recipient == recipient]

    async def wait_for(self, recipient: str, number: int = 1) -> list[Received]:
        """The mails for a recipient, once there are so many."""
        await self.until(lambda: len(self.of(recipient)) >= number)
        return self.of(recipient)

    async def next(self, recipient: str, *, after: int = 0) -> Received:
        """The mail for a recipient that follows so many."""
        return (await self.wait_for(recipient, after + 1))[after]

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Waits until something is so of what came."""
        async with asyncio.timeout(_LONGEST_WAIT), self._changed:
            await self._changed.wait_for(is_so)

    async def _count(self, address: str) -> None:
        async with self._changed:
            self.tries[address] = self.tries.get(address, 0) + 1
            self._changed.notify_all()

    def authenticate(self, server: SMTP, session: Any, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        """Lets everybody in, and remembers who it was."""
        self.signed_in.append((data.login.decode(), data.password.decode()))
        return AuthResult(success=True)


@asynccontextmanager
async def mail_server(
    *, tls: ssl.SSLContext | None = None, starttls: ssl.SSLContext | None = None, asks_who: bool = False
) -> AsyncIterator[MailServer]:
    """A mail server on a port of its own.

    Args:
        tls: Connections begin with TLS.
        starttls: It offers STARTTLS, and takes nothing without.
        asks_who: It takes mails only of those who sign in.
    """
    keeper = MailServer()
    talks: list[SMTP] = []

    def made() -> SMTP:
        talk = SMTP(
            keeper,
            hostname="mail.example.com",
            tls_context=starttls,
            require_starttls=starttls is not None,
            enable_SMTPUTF8=True,
            authenticator=keeper.authenticate if asks_who else None,
            # Over TLS from the start it does not know that it is, and would warn.
            auth_required=asks_who and starttls is not None,
            auth_require_tls=starttls is not None,
            loop=asyncio.get_running_loop(),
        )
        talks.append(talk)
        return talk

    server = await asyncio.get_running_loop().create_server(made, "127.0.0.1", 0, ssl=tls)
    keeper.port = server.sockets[0].getsockname()[1]
    try:
        yield keeper
    finally:
        server.close()
        for talk in talks:
            # It leaves a connection open whose other side has hung up in the middle of STARTTLS.
            if talk._original_transport is not None:
                talk._original_transport.close()
