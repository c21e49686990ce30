"""The script as browsers fetch it. What it does is held by tests/browser."""

from __future__ import annotations

import base64
import gzip
import hashlib
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx

    from tests.support.stack import Stack

MOST_BYTES = 6300
"""Some 5 KB and what came to it: as it is sent, without the comments of its source."""
MOST_ZIPPED = 2560


async def test_it_is_kept_for_ever_by_a_name_of_its_content(stack: Stack, http: httpx.AsyncClient) -> None:
    named = (await http.get(f"{stack.server.http_url}/argus-session.json")).json()
    answer = await http.get(stack.server.http_url + named["src"])
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    digest = base64.b64encode(hashlib.sha384(answer.content).digest()).decode()
    assert named["integrity"] == f"sha384-{digest}"
    assert hashlib.sha256(answer.content).hexdigest()[:16] in named["src"]
    assert "set-cookie" not in answer.headers


async def test_it_is_small_and_fit_for_strict_policies(stack: Stack, http: httpx.AsyncClient) -> None:
    """Nothing that a strict CSP or Trusted Types forbids, and nothing of another origin."""
    named = (await http.get(f"{stack.server.http_url}/argus-session.json")).json()
    text = (await http.get(stack.server.http_url + named["src"])).text
    assert len(text) <= MOST_BYTES
    assert len(gzip.compress(text.encode(), 9)) <= MOST_ZIPPED, "a proxy may zip it; Argus does not"
    for word in (
        "innerHTML",
        "outerHTML",
        "insertAdjacent",
        "document.write",
        "eval(",
        "Function(",
        "import(",
        "postMessage(data",
    ):
        assert word not in text
    assert not re.search(r"https?://", text)
    assert "document.cookie" not in text


async def test_another_name_is_none(stack: Stack, http: httpx.AsyncClient) -> None:
    for path in ("/argus-session.js", "/argus-session.0000000000000000.js"):
        assert (await http.get(stack.server.http_url + path)).status_code == 404
