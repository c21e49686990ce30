"""Browsers as far as HTTP goes: a cookie jar that keeps to RFC 6265bis, and the headers that pages' requests have."""

from __future__ import annotations

import copy
import json
from http.cookies import SimpleCookie
from typing import TYPE_CHECKING, Any, Final

import httpx

from tests.support.dpop import DpopClient
from tests.support.people import FIREFOX, PASSWORD

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.support.stack import Stack

MOST_BYTES: Final = 4096
SCRIPT: Final = {"sec-fetch-site": "same-origin", "sec-fetch-mode": "cors", "sec-fetch-dest": "empty"}


class SetCookie:
    """One `Set-Cookie`, taken apart; whatever breaks a rule of ours is an assertion."""

    def __init__(self, header: str) -> None:
        pair, *attributes = header.split("; ")
        self.name, _, self.value = pair.partition("=")
        named = [attribute.partition("=") for attribute in attributes]
        self.attributes = {name.lower(): value for name, _, value in named}
        assert len(self.attributes) == len(attributes), header
        assert len(SimpleCookie(header.replace("; Partitioned", ""))) == 1, "other parsers read the same"
        self._check()

    def _check(self) -> None:
        assert self.name.startswith("__Host-argus_"), self.name
        known = {"path", "secure", "httponly", "samesite", "max-age", "partitioned"}
        assert self.attributes.keys() <= known, self.attributes
        assert (self.attributes["path"], self.attributes["secure"], self.attributes["httponly"]) == ("/", "", "")
        kind = self.name.removeprefix("__Host-argus_").partition(".")[0]
        wanted = {"rt": "Strict", "at": "Lax", "device": "Strict", "login": "Lax", "lang": "Lax"}[kind]
        same_site = self.attributes["samesite"]
        by_policy = kind == "at" and same_site == "Strict"
        assert same_site == ("None" if "partitioned" in self.attributes else wanted) or by_policy
        assert len(self.name) + len(self.value) <= MOST_BYTES
        assert int(self.attributes.get("max-age", 0)) <= 400 * 24 * 3600


class Jar(dict[str, str]):
    """A browser's cookies of one host."""

    def take(self, answer: httpx.Response) -> list[SetCookie]:
        """Keeps what an answer sets, and forgets what it takes away."""
        found = [SetCookie(one) for one in answer.headers.get_list("set-cookie")]
        for one in found:
            if one.attributes.get("max-age") == "0":
                self.pop(one.name, None)
            else:
                self[one.name] = one.value
        return found

    def header(self) -> str:
        """As it is sent."""
        return "; ".join(f"{name}={value}" for name, value in self.items())


class Browser:
    """A browser with pages of Argus's own origin."""

    def __init__(self, stack: Stack, tenant_id: str, *, http: httpx.AsyncClient, jar: Jar | None = None) -> None:
        self.tenant_id = tenant_id
        self.origin = stack.argus.settings.base_url
        self.url = f"{stack.server.http_url}/t/{tenant_id}/session"
        self.http = http
        self.jar = Jar() if jar is None else jar
        self.user_agent = FIREFOX

    def copied(self) -> Browser:
        """Another one with a copy of the jar."""
        other = copy.copy(self)
        other.jar = Jar(self.jar)
        return other

    def name(self, kind: str) -> str:
        """Name of a cookie."""
        return f"__Host-argus_{kind}.{self.tenant_id}"

    def headers(self) -> dict[str, str]:
        """Of a script's request."""
        said = {"origin": self.origin, "x-argus-csrf": "1", "user-agent": self.user_agent, **SCRIPT}
        return said | ({"cookie": self.jar.header()} if self.jar else {})

    async def send(
        self,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        headers: Mapping[str, str | None] | None = None,
        method: str = "POST",
    ) -> httpx.Response:
        """Asks, and leaves the jar as it is; a header that is None is left out."""
        said = {name: value for name, value in (self.headers() | dict(headers or {})).items() if value is not None}
        if body is None:
            return await self.http.request(method, self.url + path, headers=said)
        content = json.dumps(dict(body)).encode()
        return await self.http.request(
            method, self.url + path, headers={"content-type": "application/json"} | said, content=content
        )

    async def ask(self, path: str, body: Mapping[str, Any] | None = None, **more: Any) -> httpx.Response:
        """Asks, and keeps the cookies of the answer."""
        answer = await self.send(path, body, **more)
        self.jar.take(answer)
        return answer

    async def status(self) -> dict[str, Any]:
        """What the endpoint says about the session."""
        answer = await self.ask("", method="GET")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def sign_in(self, identifier: str, password: str = PASSWORD) -> httpx.Response:
        """Signs in by password."""
        begun = await self.ask("/sign-in", {"identifier": identifier})
        assert begun.status_code == 200, begun.text
        return await self.ask("/factor", {"password": password})

    async def refresh(self, **body: Any) -> httpx.Response:
        """Has the tokens made new."""
        return await self.ask("/refresh", body)


class Holder:
    """A browser whose script holds a key."""

    def __init__(self, stack: Stack, browser: Browser) -> None:
        self.stack = stack
        self.browser = browser
        self.client = DpopClient()
        self.nonce: str | None = None

    def copied(self) -> Holder:
        """Another one with a copy of the jar, and the key."""
        other = copy.copy(self)
        other.browser = self.browser.copied()
        return other

    def proof(self, path: str, *, method: str = "POST", **claims: Any) -> str:
        """A new one."""
        now = self.stack.private.clock.now_ms() // 1000
        uri = f"{self.browser.origin}/t/{self.browser.tenant_id}/session{path}"
        return self.client.jwt(now=now, **({"htm": method, "htu": uri, "nonce": self.nonce} | claims))

    async def ask(self, path: str, body: dict[str, Any], *, proof: str = "") -> httpx.Response:
        """Asks with a proof."""
        return await self.browser.ask(path, body, headers={"dpop": proof or self.proof(path)})

    async def sign_in(self, identifier: str) -> httpx.Response:
        """Binds the session to the key."""
        await self.browser.ask("/sign-in", {"identifier": identifier})
        return await self.ask("/factor", {"password": PASSWORD})
