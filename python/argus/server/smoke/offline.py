"""What a service does that verifies access tokens without calling Argus: key set, signature, claims."""

import base64
import json
from typing import Any

from argus.sdk.fetch import Fetcher
from argus.sdk.jwks import RemoteKeySet


async def verify_offline(token: str, key_set_url: str) -> dict[str, Any]:
    """The claims of an access token whose signature fits a published key.

    Raises:
        KeyUnknownError: The key is not published.
        KeySetUnavailableError: The key set can't be had.
        ValueError: The signature does not fit.
    """
    # The stack is on this machine.
    keys = RemoteKeySet(key_set_url, fetcher=Fetcher(allow_loopback=True))
    head, body, signature = token.split(".")
    key = await keys.key(json.loads(_decode(head))["kid"])
    key.verify(f"{head}.{body}".encode(), _decode(signature))
    claims: dict[str, Any] = json.loads(_decode(body))
    return claims


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
