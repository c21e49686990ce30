"""The endpoints of single-page applications: sign-in, status, refresh, step-up and sign-out, in JSON.

Tokens travel in cookies; no body has a refresh token, or a login's, and an access token only where the policy lets
scripts have it. Only POST changes something.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final, TypeAlias

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from argus.base import ids
from argus.base.clock import Now
from argus.base.errors import ArgusError, InvalidFieldError, OverloadedError, UnavailableError
from argus.clients.model import MAX_RESOURCE
from argus.credentials.levels import METHODS
from argus.flows.submit_factor import SessionIds
from argus.flows.termination import TerminationState
from argus.sessions.model import ACR_PREFIX
from argus.tenants.model import TenantNotFoundError
from argus.users.model import MAX_IDENTIFIER
from argus.v1.errors_pb2 import ErrorReason
from argus.web.browser import bodies, cors, views
from argus.web.browser.actions import Actions, Progress
from argus.web.browser.cookies import REFRESH, Change
from argus.web.browser.csrf import SameOrigin
from argus.web.browser.nonces import Nonces
from argus.web.browser.problems import DefectError, problem
from argus.web.browser.visits import Visit, Visits
from argus.web.documents import Source

log = structlog.get_logger(__name__)

_PATH: Final = "/t/{tenant_id}/session"
_MOST_AT_ONCE: Final = 1000
_PAUSE: Final = timedelta(seconds=1)
# The members that hold a factor, and the most characters of each.
_LONGEST: Final[dict[str, int]] = {
    "password": 4096,
    "totp": 32,
    "recovery_code": 64,
    "email_code": 32,
    "webauthn": bodies.MOST_BYTES,
}
_END_SESSIONS: Final = "end_sessions"
_MOST_ENDS: Final = 1000
_MAX_NAME: Final = 256
_MAX_ATTEMPT: Final = 64
_MAX_ACR: Final = 64
_FINGERPRINT: Final = "fingerprint"
_MAX_KIND: Final = 32
_MAX_ACTION: Final = 4096
_ACR_VALUES: Final = {f"{ACR_PREFIX}{level}": level for level in (1, 2, 3)}
# The whole origin's cache and storage. Not "cookies": it would take those of all hosts of the domain, and the device's.
_CLEAR: Final = '"cache", "storage"'

Body: TypeAlias = Mapping[str, Any]
Answer: TypeAlias = Callable[[Visit, Body], Awaitable[Response]]


class SessionEndpoints:
    """`/t/{tenant}/session` and what is below it."""

    def __init__(
        self,
        actions: Actions,
        visits: Visits,
        same_origin: SameOrigin,
        *,
        key_sets: Source,
        deadline: timedelta,
        now: Now,
        nonces: Nonces | None = None,
    ) -> None:
        """Takes what it translates for.

        Args:
            actions: What is done.
            visits: Who comes.
            same_origin: Who may.
            key_sets: Which tenants there are.
            deadline: Longest time that an answer takes.
            now: The time.
            nonces: What proofs must have; None: nothing.
        """
        self._nonces = nonces
        self._actions = actions
        self._visits = visits
        self._same_origin = same_origin
        self._key_sets = key_sets
        self._deadline = deadline.total_seconds()
        self._now = now
        self._running = 0

    def routes(self) -> list[Route]:
        """Where they are."""
        return [
            self._route("", self._status, method="GET"),
            self._route("/sign-in", self._sign_in, ("identifier", "acr_values")),
            self._route("/step-up", self._step_up, ("acr_values", "action", "action_resource")),
            self._route("/factor", self._factor, (*_LONGEST, _FINGERPRINT, _END_SESSIONS)),
            self._route("/enrolment", self._enrolment, ("kind",)),
            self._route("/cancel", self._cancel),
            self._route("/refresh", self._refresh, ("attempt_id", "user_active", "access_token")),
            self._route("/sign-out", self._sign_out),
        ]

    def _route(self, path: str, answer: Answer, known: Collection[str] = (), *, method: str = "POST") -> Route:
        async def respond(request: Request) -> Response:
            request_id = request.state.request_id
            try:
                answered = await self._respond(request, answer, known)
            except ArgusError as error:
                answered = problem(error, request_id=request_id)
            except Exception:
                log.exception("browser.failed", path=path, request_id=request_id)
                answered = problem(DefectError(request_id), request_id=request_id)
            return cors.mark(answered, request, self._same_origin)

        return Route(_PATH + path, respond, methods=[method, "OPTIONS"])

    async def _respond(self, request: Request, answer: Answer, known: Collection[str]) -> Response:
        self._check_tenant(request.path_params["tenant_id"])
        if request.method == "OPTIONS":
            return cors.preflight(request, self._same_origin)
        self._same_origin.check_script(request)
        if self._running >= _MOST_AT_ONCE:
            raise OverloadedError(_PAUSE)
        self._running += 1
        try:
            async with asyncio.timeout(self._deadline):
                content = await bodies.read(request)
                answered = await answer(self._visits.of(request, content), bodies.members(content, known))
        except TimeoutError:
            raise UnavailableError("argus", cause="SERVER_DEADLINE") from None
        finally:
            self._running -= 1
        if self._nonces is not None and "dpop" in request.headers:
            answered.headers["dpop-nonce"] = self._nonces.current(request.path_params["tenant_id"])
        return answered

    def _check_tenant(self, tenant_id: str) -> None:
        try:
            is_there = bool(ids.TENANT_ID.fullmatch(tenant_id)) and self._key_sets(tenant_id) is not None
        except KeyError:
            raise UnavailableError("keys") from None
        if not is_there:
            raise TenantNotFoundError(tenant_id)

    async def _status(self, visit: Visit, _body: Body) -> Response:
        """Who is there; changes nothing, and is no activity."""
        try:
            found = await self._actions.current(visit)
        except ArgusError as error:
            if error.reason != ErrorReason.ERROR_REASON_STEP_UP_REQUIRED:
                raise
            return JSONResponse({"state": "step_up_required", "metadata": error.metadata})
        if found is not None:
            return JSONResponse(views.active(found, now=self._now()))
        return JSONResponse({"state": "refresh" if REFRESH in visit.cookies else "none"})

    async def _sign_in(self, visit: Visit, body: Body) -> Response:
        identifier = bodies.text(body, "identifier", MAX_IDENTIFIER)
        begun = await self._actions.start_sign_in(visit, identifier=identifier, asked_acr=_asked_acr(body))
        return _progressed(visit, begun)

    async def _step_up(self, visit: Visit, body: Body) -> Response:
        begun = await self._actions.start_step_up(
            visit,
            asked_acr=_asked_acr(body),
            action=bodies.text(body, "action", _MAX_ACTION),
            action_resource=bodies.text(body, "action_resource", MAX_RESOURCE),
        )
        return _progressed(visit, begun)

    async def _factor(self, visit: Visit, body: Body) -> Response:
        answers = [one for one in METHODS if one in body]
        if len(answers) + (_END_SESSIONS in body) != 1:
            raise InvalidFieldError("body", f"must have exactly one of {', '.join(_LONGEST)}, {_END_SESSIONS}")
        if not answers:
            return _progressed(visit, await self._actions.end_sessions(visit, _named(body)))
        (method,) = answers
        if method == "webauthn" and isinstance(body[method], dict):
            answer = json.dumps(body[method], separators=(",", ":"))
        else:
            answer = bodies.text(body, method, _LONGEST[method], required=True)
        fingerprint = bodies.fingerprint(body.get(_FINGERPRINT), _FINGERPRINT)
        return _progressed(visit, await self._actions.submit(visit, method, answer, fingerprint=fingerprint))

    async def _enrolment(self, visit: Visit, body: Body) -> Response:
        kind = bodies.text(body, "kind", _MAX_KIND, required=True)
        method = next((one for one in METHODS if one == kind), None)
        if method is None:
            raise InvalidFieldError("kind", f"must be one of {', '.join(METHODS)}")
        login, enrolment = await self._actions.begin_enrolment(visit, method)
        return JSONResponse({"login": views.login(login), "enrolment": views.enrolment(enrolment)})

    async def _cancel(self, visit: Visit, _body: Body) -> Response:
        return _with_cookies(visit, Response(status_code=204), await self._actions.cancel(visit))

    async def _refresh(self, visit: Visit, body: Body) -> Response:
        wants_access_token = bodies.flag(body, "access_token")
        refreshed = await self._actions.refresh(
            visit,
            attempt_id=bodies.text(body, "attempt_id", _MAX_ATTEMPT),
            user_active=bodies.flag(body, "user_active"),
            wants_access_token=wants_access_token,
        )
        response = refreshed.response
        told = views.refreshed(response)
        if wants_access_token:
            told |= {"access_token": response.tokens.access_token, "token_type": response.tokens.token_type}
        return _with_cookies(visit, JSONResponse(told), refreshed.changes)

    async def _sign_out(self, visit: Visit, _body: Body) -> Response:
        done = await self._actions.sign_out(visit)
        state = "ended" if done.state is TerminationState.ENDED else "pending"
        answer = JSONResponse({"state": state}, headers={"clear-site-data": _CLEAR})
        return _with_cookies(visit, answer, done.changes)


def _progressed(visit: Visit, progress: Progress) -> Response:
    return _with_cookies(visit, JSONResponse(views.step(progress.step, progress.choices)), progress.changes)


def _named(body: Body) -> list[SessionIds]:
    """The sessions that a body names."""
    names = bodies.texts(body, _END_SESSIONS, _MAX_NAME, _MOST_ENDS)
    found = []
    for place, name in enumerate(names):
        parsed = ids.parse_name("session", name)
        if parsed is None:
            raise InvalidFieldError(f"{_END_SESSIONS}[{place}]", "is not the name of a session")
        tenant_id, user_id, session_id = parsed
        found.append((tenant_id, user_id, session_id))
    return found


def _with_cookies(visit: Visit, response: Response, changes: Sequence[Change]) -> Response:
    visit.jar.write(response, changes)
    return response


def _asked_acr(body: Body) -> int:
    """The lowest of the acceptable levels, which every higher one stands for, too; 0: none is named."""
    values = bodies.texts(body, "acr_values", _MAX_ACR, len(_ACR_VALUES))
    for value in values:
        if value not in _ACR_VALUES:
            raise InvalidFieldError("acr_values", f"must be of {', '.join(_ACR_VALUES)}")
    return min((_ACR_VALUES[value] for value in values), default=0)
