"""What takes mails away: a mail server, or a folder."""

import asyncio
import errno
import re
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final, Protocol

import aiosmtplib
import structlog

from argus.base.settings_mail import MailServer
from argus.mail.letters import wire_address
from argus.mail.model import MailDelayedError, MailRefusedError

_log = structlog.get_logger(__name__)

_UNNAMEABLE: Final = re.compile(r"[^\w]+")
_FIRST_PERMANENT: Final = 500
_AUTHENTICATION: Final = frozenset({530, 534, 535, 538})


Dial = Callable[[str, int], Awaitable[socket.socket]]
"""Connects to a host and port."""


class Carrier(Protocol):
    """Takes mails away."""

    async def carry(self, message: EmailMessage, *, sender: str, recipient: str) -> None:
        """Hands a mail over; when this comes back somebody else answers for it.

        Raises:
            MailRefusedError: It is not taken, now or later.
            MailDelayedError: It could not be handed over now.
        """


class Smtp:
    """A mail server."""

    def __init__(
        self, server: MailServer, *, ca_file: Path | None, timeout: timedelta, dial: Dial | None = None
    ) -> None:
        """Hands mails over to a server.

        Args:
            server: The server.
            ca_file: Certificates to trust in place of the system's.
            timeout: Longest time that one mail may take.
            dial: Connects to it; None: whatever its name leads to is good.
        """
        self._server = server
        self._dial = dial
        self._ca_file = ca_file
        self._timeout = timeout.total_seconds()

    async def carry(self, message: EmailMessage, *, sender: str, recipient: str) -> None:
        """Hands a mail to the server, on a connection of its own; raises as `Carrier.carry` does."""
        with self._failures():
            async with asyncio.timeout(self._timeout):
                await self._hand_over(message, wire_address(sender), wire_address(recipient))

    async def greet(self) -> None:
        """Connects and signs in, and hands nothing over; raises as `carry` does."""
        with self._failures():
            async with asyncio.timeout(self._timeout), self._client():
                return

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except aiosmtplib.SMTPRecipientsRefused as error:
            raise _refusal(error.recipients[0].code) from None
        except aiosmtplib.SMTPDataError as error:
            raise _refusal(error.code) from None
        except aiosmtplib.SMTPResponseException as error:
            # What it says to a greeting, a password or a sender it says to every mail: the server's, or the operator's,
            # fault, and not the mail's.
            raise MailDelayedError(f"SMTP_{error.code}") from None
        except aiosmtplib.SMTPNotSupported:
            raise MailRefusedError("NOT_SUPPORTED") from None
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            raise MailDelayedError(_fault(error)) from None

    async def _hand_over(self, message: EmailMessage, sender: str, recipient: str) -> None:
        async with self._client() as client:
            await client.send_message(message, sender=sender, recipients=[recipient])

    @asynccontextmanager
    async def _client(self) -> AsyncIterator[aiosmtplib.SMTP]:
        server = self._server
        client = aiosmtplib.SMTP(
            hostname=server.host,
            port=None if self._dial else server.port,
            sock=await self._dial(server.host, server.port) if self._dial else None,
            username=server.username or None,
            password=server.password or None,
            use_tls=server.is_tls,
            start_tls=server.is_starttls,
            tls_context=self._tls() if server.is_tls or server.is_starttls else None,
            timeout=self._timeout,
        )
        try:
            await client.connect()
            yield client
            # It has the mail: whatever goes wrong from here on, it must not get it again.
            with suppress(aiosmtplib.SMTPException, OSError, TimeoutError):
                await client.quit()
        finally:
            client.close()

    def _tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self._ca_file)


class Folder:
    """A folder of `.eml` files, for development: every mail program and most editors open them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def carry(self, message: EmailMessage, *, sender: str, recipient: str) -> None:  # noqa: ARG002 - a carrier
        """Writes a mail to a file that nobody else can read, and tells its name; raises as `Carrier.carry` does."""
        try:
            path = await asyncio.to_thread(self._write, _file_name(message), message)
        except OSError as error:
            raise MailDelayedError(f"FOLDER_{errno.errorcode.get(error.errno or 0, 'FAILED')}") from None
        _log.info("mail.kept", subject=str(message["Subject"]), file=str(path))

    def _write(self, name: str, message: EmailMessage) -> Path:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._folder / name
        path.touch(mode=0o600)
        for part in message.iter_parts():
            # Quoted-printable would break the link that a newcomer wants to copy.
            part.set_content(part.get_content(), subtype=part.get_content_subtype(), cte="8bit")
        path.write_bytes(message.as_bytes())
        return path


def _file_name(message: EmailMessage) -> str:
    """In the order of their times, with what they are about; of one mail always the same."""
    time = parsedate_to_datetime(str(message["Date"])) if message["Date"] else datetime.fromtimestamp(0, UTC)
    subject = _UNNAMEABLE.sub("-", str(message["Subject"]).lower()).strip("-")
    mail_id = str(message["Message-ID"]).strip("<>").partition("@")[0]
    return f"{time:%Y-%m-%d-%H%M%S}-{subject}-{mail_id}.eml"


def _fault(error: Exception) -> str:
    """What kept a server from answering, in the words that tries of webhooks have."""
    if isinstance(error, TimeoutError):
        return "TIMEOUT"
    if isinstance(error, ssl.SSLError) or isinstance(error.__cause__, ssl.SSLError):
        return "TLS"
    # It is told by its message alone that a server has no STARTTLS.
    if "STARTTLS" in str(error):
        return "TLS"
    return "CONNECT" if isinstance(error, OSError) else "PROTOCOL"


def _refusal(code: int) -> MailRefusedError | MailDelayedError:
    is_permanent = code >= _FIRST_PERMANENT and code not in _AUTHENTICATION
    return MailRefusedError(f"SMTP_{code}") if is_permanent else MailDelayedError(f"SMTP_{code}")
