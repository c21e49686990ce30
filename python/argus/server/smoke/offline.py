"""What a service does that verifies access tokens without calling Argus: key set, signature, claims."""

import asyncio
import base64
import json
import urllib.request
from typing import Any

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
from cryptography.hazmat.primitives.hashes import SHA256

_TIMEOUT_SECONDS = 5


async def verify_offline(token: str, key_set_url: str) -> dict[str, Any]:
    """The claims of an access token whose signature fits a published key.

    Raises:
        KeyError: The key is not published.
        cryptography.exceptions.InvalidSignature: The signature does not fit.
    """
    keys = await asyncio.to_thread(_fetch, key_set_url)
    head, body, signature = token.split(".")
    header = json.loads(_decode(head))
    key = {one["kid"]: one for one in keys}[header["kid"]]
    public = RSAPublicNumbers(n=_integer(key["n"]), e=_integer(key["e"])).public_key()
    public.verify(_decode(signature), f"{head}.{body}".encode(), PKCS1v15(), SHA256())
    claims: dict[str, Any] = json.loads(_decode(body))
    return claims


def _fetch(url: str) -> list[dict[str, str]]:
    with urllib.request.urlopen(url, timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310 - the stack's own address
        keys: list[dict[str, str]] = json.load(answer)["keys"]
    return keys


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _integer(text: str) -> int:
    return int.from_bytes(_decode(text), "big")
