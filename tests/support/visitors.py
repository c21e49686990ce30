"""People who use the pages without a script: forms, and the cookies that pages set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from tests.support.browsers import Jar
from tests.support.people import PASSWORD, Person

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx

    from tests.support.stack import Stack

HTML: Final = {"accept": "text/html"}


class Visitor:
    """Somebody without a script, and the cookies of its browser."""

    def __init__(self, stack: Stack, person: Person, http: httpx.AsyncClient) -> None:
        self.person = person
        self._root = f"/t/{person.api.tenant_id}"
        self._url = stack.server.http_url
        self._http = http
        self._ours = HTML | {"origin": stack.argus.settings.base_url, "sec-fetch-site": "same-origin"}
        self.jar = Jar()

    async def get(self, path: str) -> httpx.Response:
        """A page."""
        return self._took(await self._http.get(self._at(path), headers=HTML | {"cookie": self.jar.header()}))

    async def post(
        self, path: str, fields: Mapping[str, str], headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        """A form."""
        form = {"cookie": self.jar.header(), "content-type": "application/x-www-form-urlencoded"}
        sent = {**(headers or self._ours), **form}
        return self._took(await self._http.post(self._at(path), content=urlencode(fields), headers=sent))

    async def sign_in(self) -> httpx.Response:
        """By password."""
        return await self.post("/sign-in", {"identifier": self.person.identifier, "password": PASSWORD})

    def led_to(self, answer: httpx.Response) -> str:
        """Where an answer leads."""
        assert answer.status_code == 303, answer.text
        return answer.headers["location"].removeprefix(self._root)

    def _at(self, path: str) -> str:
        return f"{self._url}{self._root}{path}"

    def _took(self, answer: httpx.Response) -> httpx.Response:
        self.jar.take(answer)
        return answer
