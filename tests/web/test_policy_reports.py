"""Reports of browsers about violations of the pages' policy."""

import json
from datetime import timedelta
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from argus.web.pages.reports import PATH
from tests.support.stack import Stack


def _report(**changed: Any) -> bytes:
    said = {
        "document-uri": "https://id.example.com/t/acme/account/devices?page=secret",
        "effective-directive": "script-src-elem",
        "blocked-uri": "https://evil.example/a.js?of=secret",
        "script-sample": "secret",
    }
    return json.dumps({"csp-report": said | changed}).encode()


async def _send(http: httpx.AsyncClient, body: bytes) -> list[Any]:
    with capture_logs() as logs:
        answer = await http.post(PATH, content=body, headers={"content-type": "application/csp-report"})
    assert (answer.status_code, answer.content) == (204, b"")
    return [{key: one[key] for key in ("directive", "page", "blocked")} for one in logs if _is_report(one)]


def _is_report(one: Any) -> bool:
    return bool(one["event"] == "page.policy_violated")


async def test_a_report_is_logged_without_what_is_nobodys_affair(stack: Stack) -> None:
    """The rule, the page and who was stopped; no queries, no samples."""
    await stack.advance(timedelta(minutes=1))
    async with httpx.AsyncClient(base_url=stack.server.http_url) as http:
        told = {"directive": "script-src-elem", "page": "/t/acme/account/devices", "blocked": "evil.example"}
        assert await _send(http, _report()) == [told]
        inline = {"blocked-uri": "inline"}
        assert await _send(http, _report(**inline)) == [told | {"blocked": "inline"}]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff",
        b"[" * 60_000,
        b'{"csp-report": []}',
        _report(**{"effective-directive": "<b>"}),
        b"{" + b" " * 70_000 + b"}",
    ],
)
async def test_anything_else_is_dropped(stack: Stack, body: bytes) -> None:
    async with httpx.AsyncClient(base_url=stack.server.http_url) as http:
        assert await _send(http, body) == []


async def test_a_flood_fills_no_log(stack: Stack) -> None:
    """Twenty in a minute; then a minute later again."""
    await stack.advance(timedelta(minutes=1))
    async with httpx.AsyncClient(base_url=stack.server.http_url) as http:
        logged = [len(await _send(http, _report())) for _ in range(25)]
        assert sum(logged) == 20
        await stack.advance(timedelta(minutes=1))
        assert len(await _send(http, _report())) == 1
