"""Fetches a small document of an issuer; the only module that speaks HTTP as a client.

Neither the address nor the answer is trusted: HTTPS alone, no redirects, bounded in size and time. The environment is:
whoever can write it has the process already, and it is where an operator says how to get out of a network.
"""

import asyncio
import ssl
from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit

import httpx

from argus.base.listen import is_loopback

LARGEST_DOCUMENT: Final = 64 * 1024
"""Bytes."""

_HEADERS: Final = {
    "accept": "application/jwk-set+json, application/json",
    # A small answer that unpacks to a large one would be counted too late.
    "accept-encoding": "identity",
    # What caches on the way have may be older than the key that is asked for, or than the one that was pulled.
    "cache-control": "no-cache",
    "user-agent": "argus-sdk",
}


class FetchFailedError(Exception):
    """The document can't be had now."""


class Fetcher:
    """Fetches documents over HTTPS, by the proxies of the environment (HTTPS_PROXY, ALL_PROXY, NO_PROXY).

    A proxy passes on what it can't read: the certificate has to be the issuer's.
    """

    def __init__(
        self,
        *,
        allow_loopback: bool = False,
        timeout: timedelta = timedelta(seconds=3),
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Takes how to fetch.

        Args:
            allow_loopback: Takes http:// too where only this machine can answer: for development.
            timeout: Longest time for everything, from the connection to the last byte.
            tls: Whom to trust; None: what httpx does (certifi, or SSL_CERT_FILE and SSL_CERT_DIR).
        """
        self._allow_loopback = allow_loopback
        self._timeout = timeout.total_seconds()
        self._tls = tls

    def check(self, url: str) -> None:
        """Refuses an address that is never fetched.

        Raises:
            ValueError: Says why; never shows the address.
        """
        try:
            parts = urlsplit(url)
            _ = parts.port
        except ValueError:
            raise ValueError("the address must be well-formed") from None
        if not parts.hostname or parts.username is not None or parts.password is not None or parts.fragment:
            raise ValueError("the address must have a host, and neither a user nor a fragment")
        if parts.scheme == "https":
            return
        if parts.scheme != "http" or not self._allow_loopback or not is_loopback(parts.hostname):
            raise ValueError("the address must begin with https://")

    async def get(self, url: str) -> bytes:
        """The document.

        Raises:
            ValueError: The address is one that is never fetched.
            FetchFailedError: There is no answer, or none of status 200 that is small enough; or what the environment
                says of proxies and certificates can't be used.
        """
        self.check(url)
        try:
            async with asyncio.timeout(self._timeout):
                return await self._get(url, is_encrypted=urlsplit(url).scheme == "https")
        except FetchFailedError:
            raise
        except TimeoutError:
            raise FetchFailedError(f"no whole answer within {self._timeout:g} s") from None
        except ImportError as error:
            # It names the package that a kind of proxy needs.
            raise FetchFailedError(f"no answer ({error})") from error
        except Exception as error:
            # What a proxy's address can be wrong in has no class in common.
            raise FetchFailedError(f"no answer ({type(error).__name__})") from error

    async def _get(self, url: str, *, is_encrypted: bool) -> bytes:
        trust = await self._trust(is_encrypted=is_encrypted)
        async with (
            # Proxies of the environment are for the way out, not for what this machine says to itself.
            httpx.AsyncClient(verify=trust, trust_env=is_encrypted, timeout=self._timeout) as client,
            client.stream("GET", url, headers=_HEADERS, follow_redirects=False) as answer,
        ):
            return await _read(answer)

    async def _trust(self, *, is_encrypted: bool) -> ssl.SSLContext:
        if not is_encrypted:
            return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if self._tls is None:
            try:
                # Reading the certificates of all authorities takes a tenth of a second.
                self._tls = await asyncio.to_thread(httpx.create_ssl_context)
            except OSError as error:
                why = f"the certificates to trust can't be read ({type(error).__name__}): see SSL_CERT_FILE"
                raise FetchFailedError(why) from error
        return self._tls


async def _read(answer: httpx.Response) -> bytes:
    if answer.status_code != httpx.codes.OK:
        raise FetchFailedError(f"answered with status {answer.status_code}")
    if answer.headers.get("content-encoding", "identity") != "identity":
        raise FetchFailedError("answered in an encoding that was not asked for")
    body = bytearray()
    async for chunk in answer.aiter_raw():
        body += chunk
        if len(body) > LARGEST_DOCUMENT:
            raise FetchFailedError(f"answered with more than {LARGEST_DOCUMENT} bytes")
    return bytes(body)
