"""Wrong passwords of users that exist and of ones that don't, as browsers send them, each timed."""

import secrets
import time
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

import httpx

from bench.timing.guesses import Kind, UnexpectedAnswerError, addresses, new_identifier
from tests.support.browsers import Browser
from tests.support.people import WRONG_PASSWORD

_FORM: Final = {
    "content-type": "application/x-www-form-urlencoded",
    "sec-fetch-site": "same-origin",
    "sec-fetch-mode": "navigate",
    "sec-fetch-dest": "document",
}
_OK: Final = 200
_REFUSED: Final = 401


@dataclass(frozen=True, slots=True, kw_only=True)
class Browsed:
    """How long each request took, in ms."""

    kind: Kind
    http_sign_in: float
    http_factor: float
    page_sign_in: float


async def browse_in_pairs(browser: Browser, url: str, identifiers: list[str]) -> AsyncIterator[tuple[Browsed, Browsed]]:
    """Signs in wrongly once as each of these users, next to one that doesn't exist, in random order.

    Args:
        browser: One that may say where it comes from.
        url: Where the tenant's pages are.
        identifiers: Users that nobody has guessed at.

    Raises:
        UnexpectedAnswerError: A guess was not just refused.
    """
    networks, coin = addresses(), secrets.SystemRandom()
    for identifier in identifiers:
        kinds: list[tuple[Kind, str]] = [("known", identifier), ("unknown", new_identifier())]
        coin.shuffle(kinds)
        first, second = [await _browse(browser.copied(), url, kind, who, next(networks)) for kind, who in kinds]
        yield first, second


async def _browse(browser: Browser, url: str, kind: Kind, identifier: str, address: str) -> Browsed:
    said = {"x-forwarded-for": address}
    form = _FORM | said | {"origin": browser.origin, "user-agent": browser.user_agent}
    body = urlencode({"identifier": identifier, "password": WRONG_PASSWORD})
    return Browsed(
        kind=kind,
        http_sign_in=await _timed(browser.ask("/sign-in", {"identifier": identifier}, headers=said), _OK),
        http_factor=await _timed(browser.ask("/factor", {"password": WRONG_PASSWORD}, headers=said), _REFUSED),
        page_sign_in=await _timed(browser.http.post(f"{url}/sign-in", headers=form, content=body), _OK),
    )


async def _timed(call: Awaitable[httpx.Response], expected: int) -> float:
    before = time.perf_counter()
    answer = await call
    after = time.perf_counter()
    if answer.status_code != expected:
        raise UnexpectedAnswerError(f"{answer.url.path} was answered by {answer.status_code}: {answer.text[:200]}")
    return (after - before) * 1000
