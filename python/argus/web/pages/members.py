"""Lets those in who are signed in, and has all others sign in first."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final, TypeAlias
from urllib.parse import urlencode

from starlette.responses import Response
from starlette.routing import Route

from argus.base.errors import ArgusError
from argus.flows.browser_sessions import BrowserSessions
from argus.flows.self.oneself import Oneself
from argus.sessions.errors import TokenInvalidError
from argus.v1.errors_pb2 import ErrorReason
from argus.v1.token_service_pb2 import VerifyAccessTokenRequest
from argus.v1.types_pb2 import ACTIVITY_USER, CONSISTENCY_STRONG
from argus.web.browser.actions import Actions
from argus.web.browser.cookies import ACCESS, REFRESH, Change
from argus.web.browser.problems import reason_of
from argus.web.browser.visits import Visit
from argus.web.pages.render import ONWARD, Reader, with_onward
from argus.web.pages.site import Site, keep, see

_OVER: Final = frozenset({ErrorReason.ERROR_REASON_TOKEN_INVALID, ErrorReason.ERROR_REASON_SESSION_ENDED})
_NOTHING: Final[Sequence[Change]] = ()
_STEP_UP: Final = "STEP_UP_REQUIRED"
_LOST: Final = "lost"
# What browsers say of requests that a page of another site has led to: they leave the strictest cookies out.
_ELSEWHERE: Final = frozenset({"cross-site", "same-site"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """Somebody who is signed in, and asks for a page."""

    reader: Reader
    oneself: Oneself

    def own(self, session_id: str) -> str:
        """The name that a session of that id has, if it is the member's."""
        return f"{self.oneself.user}/sessions/{session_id}"


MemberHandler: TypeAlias = Callable[[Member], Awaitable[Response]]
"""Answers a member."""


class Members:
    """The door of the account pages."""

    def __init__(self, site: Site, actions: Actions, sessions: BrowserSessions) -> None:
        self._site = site
        self._actions = actions
        self._sessions = sessions

    def route(
        self, path: str, show: MemberHandler | None = None, take: MemberHandler | None = None, *, back: str = ""
    ) -> list[Route]:
        """A page for members; see `Site.route`.

        Args:
            path: Where, below the tenant's.
            show: Answers GET.
            take: Answers POST.
            back: Page to come back to from a sign-in or a proof that a form needs first; "": the page itself, or of a
                form without one the page above it.
        """
        back = back or (path if show else path.rpartition("/")[0])
        entered = (
            self._entered(show, back=path) if show else None,
            self._entered(take, back=back) if take else None,
        )
        return self._site.route(path, *entered)

    def routes(self) -> list[Route]:
        """Where a member proves anew who it is."""
        return self._site.route("/account/confirm", self._show_confirm, self._confirm)

    async def is_known(self, reader: Reader) -> tuple[bool, Sequence[Change]]:
        """Whether somebody is signed in and need not be asked, and what becomes of the cookies."""
        try:
            member, changes = await self._member(reader)
        except ArgusError as error:
            if reason_of(error) != _STEP_UP:
                raise
            return False, _NOTHING
        return member is not None, changes

    def ask_again(self, reader: Reader) -> Response | None:
        """A page that asks for itself once more, from here; None: it need not.

        Where another site's link led here, the browser has kept the strictest cookies to itself.
        """
        site = reader.request.headers.get("sec-fetch-site")
        return self._site.page(reader, "again") if reader.request.method == "GET" and site in _ELSEWHERE else None

    def _entered(self, handler: MemberHandler, *, back: str) -> Callable[[Reader], Awaitable[Response]]:
        async def enter(reader: Reader) -> Response:
            changes = _NOTHING
            try:
                member, changes = await self._member(reader)
                if member is not None:
                    return keep(reader, await handler(member), changes)
            except ArgusError as error:
                if reason_of(error) != _STEP_UP:
                    raise
                return keep(reader, _proof_first(reader, back), changes)
            return self.ask_again(reader) or see(reader, with_onward("/sign-in", _filled(back, reader)))

        return enter

    async def _member(self, reader: Reader) -> tuple[Member | None, Sequence[Change]]:
        """Who is there, and what becomes of the cookies: tokens that are over are made anew on the way."""
        visit, changes = reader.visit, _NOTHING
        oneself = await self._oneself(visit)
        if oneself is None and REFRESH in visit.cookies:
            visit, changes = await self._refreshed(visit)
            oneself = await self._oneself(visit)
        if oneself is None:
            return None, changes
        return Member(reader=replace(reader, visit=visit), oneself=oneself), changes

    async def _oneself(self, visit: Visit) -> Oneself | None:
        """Whose session the access token is of; None if there is none that is good. To look at a page is to use it."""
        if ACCESS not in visit.cookies:
            return None
        request = VerifyAccessTokenRequest(
            access_token=visit.cookies[ACCESS],
            activity=ACTIVITY_USER,
            consistency=CONSISTENCY_STRONG,
            proof=visit.proof,
            client_context=visit.context,
        )
        try:
            return Oneself.of(await self._sessions.verify(visit.tenant_id, request, origin=visit.origin))
        except ArgusError as error:
            if error.reason in _OVER:
                return None
            raise

    async def _refreshed(self, visit: Visit) -> tuple[Visit, Sequence[Change]]:
        try:
            refreshed = await self._actions.refresh(visit, user_active=True)
        except ArgusError as error:
            if error.reason in _OVER:
                return visit, _NOTHING
            raise
        cookies = dict(visit.cookies)
        cookies.update({change.kind: change.value for change in refreshed.changes if change.value is not None})
        return replace(visit, cookies=cookies), refreshed.changes

    async def _show_confirm(self, reader: Reader) -> Response:
        return self._site.page(reader, "confirm", has_lost=_LOST in reader.request.query_params)

    async def _confirm(self, reader: Reader) -> Response:
        with suppress(TokenInvalidError):
            begun = await self._actions.start_step_up(reader.visit)
            return see(reader, with_onward("/sign-in/factor", reader.onward), begun.changes)
        return see(reader, with_onward("/sign-in", reader.onward))


def _proof_first(reader: Reader, back: str) -> Response:
    """Leads to a proof and back; what was typed into a form is kept nowhere, and the reader is told so."""
    asked = {ONWARD: _filled(back, reader)} | ({_LOST: "1"} if any(reader.form.values()) else {})
    return see(reader, f"/account/confirm?{urlencode(asked)}")


def _filled(path: str, reader: Reader) -> str:
    """A route's path with what the request has in its holes."""
    return path.format(**reader.request.path_params)
