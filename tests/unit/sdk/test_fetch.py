"""What is fetched, and what is not: HTTPS alone, no redirects, bounded in size and time."""

import asyncio
import gzip
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from argus.sdk.fetch import LARGEST_DOCUMENT, Fetcher, FetchFailedError
from argus.sdk.jwks import KeySetUnavailableError, RemoteKeySet
from tests.support.issuer import Issuer, issuer
from tests.support.tls import TlsFront

LOOPBACK = Fetcher(allow_loopback=True)
SERVER_PARTS = {
    "starlette",
    "uvicorn",
    "psycopg",
    "redis",
    "pydantic",
    "structlog",
    "argus.server",
    "argus.web",
}


@pytest.fixture
async def there() -> AsyncIterator[Issuer]:
    async with issuer() as one:
        yield one


@pytest.mark.parametrize(
    "url",
    [
        "http://id.example.com/keys",
        "http://127.0.0.1.example.com/keys",
        "http://10.0.0.1/keys",
        "ftp://127.0.0.1/keys",
        "file:///etc/passwd",
        "https:///keys",
        "http:///keys",
        "https://user:word@id.example.com/keys",
        "https://word@id.example.com/keys",
        "https://id.example.com/keys#part",
        "//id.example.com/keys",
        "https://id.example.com:99999/keys",
        "https://id.example.com:word/keys",
        "https://[word/keys",
        "",
    ],
)
async def test_addresses_that_are_never_fetched(url: str) -> None:
    for fetcher in (LOOPBACK, Fetcher()):
        with pytest.raises(ValueError, match="the address must") as refused:
            await fetcher.get(url)
        assert "word" not in str(refused.value)


async def test_loopback_without_tls_is_for_who_asks_for_it(there: Issuer) -> None:
    there.say(b"{}")
    assert await LOOPBACK.get(there.url) == b"{}"
    with pytest.raises(ValueError, match="https"):
        await Fetcher().get(there.url)
    assert len(there.requests) == 1


async def test_redirects_are_not_followed(there: Issuer) -> None:
    for status in ("301 Moved Permanently", "302 Found", "303 See Other", "307 Temporary Redirect", "308 Permanent"):
        there.say(b"{}", f"location: {there.url}/more", status=status)
        with pytest.raises(FetchFailedError, match="status 30"):
            await LOOPBACK.get(there.url)
    assert len(there.requests) == 5
    assert not any("/more" in request for request in there.requests)


async def test_documents_are_small(there: Issuer) -> None:
    there.say(b"x" * LARGEST_DOCUMENT)
    assert len(await LOOPBACK.get(there.url)) == LARGEST_DOCUMENT
    there.say(b"x" * (LARGEST_DOCUMENT + 1))
    with pytest.raises(FetchFailedError, match="more than"):
        await LOOPBACK.get(there.url)
    # Nobody has to say beforehand how long it gets.
    there.answer = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n" + b"x" * (4 * LARGEST_DOCUMENT)
    with pytest.raises(FetchFailedError, match="more than"):
        await LOOPBACK.get(there.url)


async def test_packed_answers_are_refused_unread(there: Issuer) -> None:
    there.say(gzip.compress(b"x" * 10_000_000), "content-encoding: gzip")
    with pytest.raises(FetchFailedError, match="encoding"):
        await LOOPBACK.get(there.url)
    assert "accept-encoding: identity" in there.requests[0].lower()


async def test_no_cache_on_the_way_is_believed(there: Issuer) -> None:
    there.say(b"{}")
    await LOOPBACK.get(there.url)
    assert "cache-control: no-cache" in there.requests[0].lower()


async def test_an_answer_that_drips_ends_with_the_whole_time(there: Issuer) -> None:
    """Each byte comes in time, all of them do not."""

    async def drip(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        try:
            while not writer.is_closing():
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.02)
        except ConnectionError:
            pass
        writer.close()

    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        with pytest.raises(FetchFailedError, match=r"within 0\.5 s"):
            await Fetcher(allow_loopback=True, timeout=timedelta(milliseconds=500)).get(url)


async def test_an_issuer_that_is_away(there: Issuer) -> None:
    await there.stop()
    with pytest.raises(FetchFailedError, match="ConnectError"):
        await LOOPBACK.get(there.url)
    await there.start()
    there.answer = b"nonsense\r\n\r\n"
    with pytest.raises(FetchFailedError, match="RemoteProtocolError"):
        await LOOPBACK.get(there.url)


async def test_certificates_are_checked(tmp_path: Path) -> None:
    behind = Issuer()
    await behind.start(tmp_path / "issuer.sock")
    behind.say(b"{}")
    front = TlsFront(tmp_path, str(tmp_path / "issuer.sock"))
    try:
        url = f"https://127.0.0.1:{front.port}/keys"
        trusting = ssl.create_default_context(cadata=front.ca_pem.decode())
        assert await Fetcher(tls=trusting).get(url) == b"{}"
        with pytest.raises(FetchFailedError, match="ConnectError"):
            await Fetcher(tls=trusting).get(url.replace("127.0.0.1", "localhost"))
        with pytest.raises(FetchFailedError, match="ConnectError"):
            await Fetcher().get(url)
        assert len(behind.requests) == 1
    finally:
        front.close()
        await behind.stop()


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("SSL_CERT_FILE", "/nowhere/authorities.pem", r"certificates .* \(FileNotFoundError\): see SSL_CERT_FILE"),
        ("SSL_CERT_FILE", __file__, r"certificates .* \(SSLError\): see SSL_CERT_FILE"),
        ("HTTPS_PROXY", "socks5://user:word@127.0.0.1:1", "'socksio' package is not installed"),
        ("ALL_PROXY", "ftp://user:word@127.0.0.1:1", "ValueError"),
        ("HTTPS_PROXY", "http://user:word@127.0.0.1:99999", "no answer"),
    ],
)
async def test_an_environment_that_can_not_be_used_is_an_outage(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, says: str
) -> None:
    """It is believed, and no fault of the program's."""
    monkeypatch.setenv(name, value)
    with pytest.raises(FetchFailedError, match=says) as failed:
        await Fetcher().get("https://127.0.0.1:1/keys")
    assert "word" not in str(failed.value)
    key_set = RemoteKeySet("https://127.0.0.1:1/keys")
    with pytest.raises(KeySetUnavailableError, match=says):
        await key_set.warm()


async def test_proxies_are_for_the_way_out(there: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    """What leaves the machine goes by the proxy, which sees a name and no more."""
    proxy = there.url.removesuffix("/keys")
    for name in ("HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, proxy)
    there.say(b"{}")
    assert await LOOPBACK.get(there.url) == b"{}"
    there.say(b"", status="502 Bad Gateway")
    with pytest.raises(FetchFailedError, match="ProxyError"):
        await Fetcher().get("https://id.example.com/keys?secret")
    asked = [request.partition("\r\n")[0] for request in there.requests]
    assert asked == ["GET /keys HTTP/1.1", "CONNECT id.example.com:443 HTTP/1.1"]


def test_nothing_of_the_server_comes_along() -> None:
    """A service that imports the module does not get a server with it."""
    program = "import sys, argus.sdk.jwks; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=60)
    loaded = set(done.stdout.split())
    assert "argus.sdk.jwks" in loaded
    assert not loaded & SERVER_PARTS
