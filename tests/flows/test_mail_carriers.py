"""What takes mails away: a server, over TLS, by what it says of a mail and of itself; or a folder."""

import asyncio
import ssl
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Final

import pytest

from argus.base.ids import new_id
from argus.base.settings_mail import MailServer as Address
from argus.mail.carriers import Folder, Smtp
from argus.mail.model import MailDelayedError, MailRefusedError
from tests.support.mails import mail_server
from tests.support.tls import served_from

_TIMEOUT: Final = timedelta(seconds=10)


def letter() -> EmailMessage:
    """Some mail."""
    message = EmailMessage()
    message["Subject"], message["Message-ID"] = "Hello", f"<{new_id()}@example.com>"
    message.set_content("Grüße\nhttp://127.0.0.1/" + "x" * 200)
    message.add_alternative("<p>Grüße</p>", subtype="html")
    return message


@pytest.fixture
def authority(tmp_path: Path) -> tuple[ssl.SSLContext, Path]:
    """A server's certificate, and whom to trust for it."""
    return served_from(tmp_path)


@pytest.mark.parametrize("way", ["smtps", "smtp"])
async def test_mail_goes_over_tls_and_says_who_it_is(authority: tuple[ssl.SSLContext, Path], way: str) -> None:
    context, ca_file = authority
    tls = {"tls": context} if way == "smtps" else {"starttls": context}
    async with mail_server(asks_who=True, **tls) as server:
        url = f"{way}://argus:p%40ss@127.0.0.1:{server.port}"
        carrier = Smtp(Address.parse(url), ca_file=ca_file, timeout=_TIMEOUT)
        await carrier.carry(letter(), sender="a@example.com", recipient="b@example.com")
        assert [one.recipient for one in server.received] == ["b@example.com"]
        assert server.signed_in == [("argus", "p@ss")]


async def test_a_server_without_tls_gets_nothing(authority: tuple[ssl.SSLContext, Path]) -> None:
    """Neither one that offers none, nor one whose certificate is a stranger's."""
    context, _ = authority
    async with mail_server() as plain, mail_server(starttls=context) as strange:
        for server in (plain, strange):
            carrier = Smtp(Address.parse(f"smtp://127.0.0.1:{server.port}"), ca_file=None, timeout=_TIMEOUT)
            with pytest.raises(MailDelayedError) as why:
                await carrier.carry(letter(), sender="a@example.com", recipient="b@example.com")
            assert why.value.reason == "TLS"
            assert server.received == []
            assert server.tries == {}


async def test_a_server_that_is_away_delays(unused_tcp_port: int) -> None:
    carrier = Smtp(Address.parse(f"smtp+plain://127.0.0.1:{unused_tcp_port}"), ca_file=None, timeout=_TIMEOUT)
    with pytest.raises(MailDelayedError, match="CONNECT"):
        await carrier.carry(letter(), sender="a@example.com", recipient="b@example.com")


async def test_a_server_that_says_nothing_delays() -> None:
    """It takes the connection, and that is all."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    carrier = Smtp(Address.parse(f"smtp+plain://127.0.0.1:{port}"), ca_file=None, timeout=timedelta(seconds=1))
    with pytest.raises(MailDelayedError, match="TIMEOUT"):
        await carrier.carry(letter(), sender="a@example.com", recipient="b@example.com")
    server.close()


@pytest.mark.parametrize(
    ("said", "raised"),
    [
        ({"": "554 too many connections"}, MailDelayedError),
        ({"EHLO": "550 no", "HELO": "550 no"}, MailDelayedError),
        ({"MAIL": "553 not this sender"}, MailDelayedError),
        ({"RCPT": "550 nobody of that name"}, MailRefusedError),
        ({"DATA": "554 not this mail"}, MailRefusedError),
    ],
)
async def test_only_what_is_said_of_the_mail_itself_refuses_it(said: dict[str, str], raised: type[Exception]) -> None:
    """All else would be said to each mail that waits, and all of them would be lost."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = said.get("", "220 hello")
        while line:
            writer.write(f"{line}\r\n".encode())
            command = (await reader.readline()).decode()[:4].strip().upper()
            line = said.get(command, "250 good") if command else ""
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    carrier = Smtp(Address.parse(f"smtp+plain://127.0.0.1:{port}"), ca_file=None, timeout=_TIMEOUT)
    with pytest.raises(raised):
        await carrier.carry(letter(), sender="a@example.com", recipient="b@example.com")
    server.close()


async def test_a_folder_keeps_mails_that_only_their_owner_can_read(tmp_path: Path) -> None:
    message = letter()
    await Folder(tmp_path / "mails").carry(message, sender="a@example.com", recipient="b@example.com")
    (file,) = (tmp_path / "mails").iterdir()
    assert file.suffix == ".eml"
    assert file.name.startswith("1970-01-01-000000-hello-")
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert "http://127.0.0.1/" + "x" * 200 in file.read_text("utf-8")


async def test_a_folder_that_cannot_be_written_delays(tmp_path: Path) -> None:
    (tmp_path / "mails").write_text("no folder")
    with pytest.raises(MailDelayedError, match="FOLDER_EEXIST"):
        await Folder(tmp_path / "mails").carry(letter(), sender="a@example.com", recipient="b@example.com")
