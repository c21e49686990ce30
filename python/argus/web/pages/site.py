"""What every page begins and ends with: whom it is for, whether the form is one of ours, what is said of a refusal."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeAlias
from urllib.parse import parse_qsl

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from argus.base.errors import ArgusError, Code, InvalidFieldError
from argus.base.ids import TENANT_ID
from argus.plans.service import Plans
from argus.tenants.model import TenantNotFoundError
from argus.tenants.service import Tenants
from argus.themes.service import Themes
from argus.web.browser import bodies
from argus.web.browser.cookies import LANGUAGE, Change
from argus.web.browser.csrf import SameOrigin
from argus.web.browser.problems import DefectError, problem, wait_of
from argus.web.browser.visits import Visits
from argus.web.pages.locale import LANGUAGES
from argus.web.pages.render import Reader, Renderer, stranger
from argus.web.pages.telling import said, status_of, told

log = structlog.get_logger(__name__)

Handler: TypeAlias = Callable[[Reader], Awaitable[Response]]
"""Answers for a reader."""
ScriptHandler: TypeAlias = Callable[[Reader], Awaitable[tuple[str, Sequence[Change]]]]
"""Answers a script: JSON, and what becomes of the cookies."""

# As many as sessions may be chosen from, and more than any other form has.
_MAX_FIELDS: Final = 1001
# What a form says in its place, as a page that is read; all else is a page of its own.
_CORRECTABLE: Final = frozenset(
    {
        Code.INVALID_ARGUMENT,
        Code.UNAUTHENTICATED,
        Code.ALREADY_EXISTS,
        Code.FAILED_PRECONDITION,
        Code.RESOURCE_EXHAUSTED,
    }
)


class Site:
    """The pages of all tenants."""

    def __init__(
        self,
        renderer: Renderer,
        tenants: Tenants,
        themes: Themes,
        plans: Plans,
        visits: Visits,
        same_origin: SameOrigin,
    ) -> None:
        self._renderer = renderer
        self._tenants = tenants
        self._themes = themes
        self._plans = plans
        self._visits = visits
        self._same_origin = same_origin

    def route(self, path: str, show: Handler | None = None, take: Handler | None = None) -> list[Route]:
        """A page of every tenant, and what its form does.

        Args:
            path: Where, below the tenant's.
            show: Answers GET, and changes nothing.
            take: Answers the POST of a form of ours.
        """
        methods = {"GET": show, "POST": take}

        def endpoint(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
            async def answer(request: Request) -> Response:
                return await self._answer(request, handler)

            return answer

        return [
            Route(f"/t/{{tenant_id}}{path}", endpoint(handler), methods=[method])
            for method, handler in methods.items()
            if handler is not None
        ]

    def script(self, path: str, handler: ScriptHandler) -> Route:
        """What the script of a page asks for, by POST: JSON, and what becomes of the cookies."""

        async def answer(request: Request) -> Response:
            reader = await self.reader(request)
            try:
                self._same_origin.check_script(request)
                content, changes = await handler(reader)
            except ArgusError as error:
                return problem(error, request_id=reader.visit.request_id)
            return keep(reader, Response(content, media_type="application/json"), changes)

        return Route(f"/t/{{tenant_id}}{path}", answer, methods=["POST"])

    def page(self, reader: Reader, template: str, status: int = 200, /, **values: object) -> Response:
        """A page; what it can say of a refusal is empty where it is not given."""
        return self._renderer.page(reader, template, status, **{"error": "", "advice": "", "notice": "", **values})

    def again(self, reader: Reader, template: str, refused: ArgusError, /, **values: object) -> Response:
        """A form once more, with what was wrong with it; what nobody can correct there is a page of its own."""
        if refused.code not in _CORRECTABLE:
            raise refused
        error, advice = said(reader.locale, refused)
        has_to_wait = refused.code is Code.RESOURCE_EXHAUSTED
        shown = {"error": error, "advice": advice, **values}
        answer = self.page(reader, template, status_of(refused) if has_to_wait else 200, **shown)
        return _delayed(answer, refused)

    def message(self, reader: Reader, key: str, *, status: int = 200, path: str = "", label: str = "") -> Response:
        """A page that says one thing: the texts `key` and `key_lead`, and where to go on."""
        text = reader.locale.text
        return self.page(
            reader,
            "message",
            status,
            heading=text(key, tenant=reader.title),
            text=text(f"{key}_lead", tenant=reader.title),
            path=reader.root + path if path else "",
            label=text(label or "go_on"),
        )

    def stranger(self, request: Request) -> Reader:
        """Somebody who looks for a page of no tenant, or of one that can't be read now."""
        return stranger(request, self._renderer.locale(request, ""))

    async def _answer(self, request: Request, handler: Handler) -> Response:
        try:
            reader = await self.reader(request)
        except ArgusError as error:
            return self._refused(self.stranger(request), error)
        try:
            if request.method == "POST":
                self._same_origin.check_form(request)
                reader.form.update(_fields(await bodies.read(request)))
            answer = await handler(reader)
        except ArgusError as error:
            answer = self._refused(reader, error)
        except ClientDisconnect:
            answer = Response(status_code=400)  # for nobody
        except Exception:
            log.exception("page.failed", path=request.url.path, request_id=reader.visit.request_id)
            answer = self._refused(reader, DefectError(reader.visit.request_id))
        chosen = request.query_params.get("lang", "")
        if chosen in LANGUAGES:
            keep(reader, answer, [Change(kind=LANGUAGE, value=chosen)])
        return answer

    async def reader(self, request: Request) -> Reader:
        """Whom an answer is for.

        Raises:
            HTTPException: There is no such tenant.
            ArgusError: That can't be said now, or the request breaks a rule.
        """
        tenant_id = request.path_params["tenant_id"]
        if not TENANT_ID.fullmatch(tenant_id):
            raise HTTPException(404)
        try:
            tenant = await self._tenants.get(tenant_id)
        except TenantNotFoundError:
            raise HTTPException(404) from None
        if tenant.disabled:
            raise HTTPException(404)
        visit = self._visits.of(request)
        return Reader(
            tenant=tenant,
            theme=await self._themes.get(tenant_id),
            locale=self._renderer.locale(request, visit.cookies.get(LANGUAGE, "")),
            request=request,
            visit=visit,
            bought=await self._plans.of(tenant_id),
        )

    def _refused(self, reader: Reader, error: ArgusError) -> Response:
        return _delayed(self._renderer.page(reader, "message", status_of(error), **told(reader, error)), error)


def keep(reader: Reader, answer: Response, changes: Sequence[Change]) -> Response:
    """The answer, with what becomes of the cookies."""
    reader.visit.jar.write(answer, changes)
    return answer


def see(reader: Reader, path: str, changes: Sequence[Change] = ()) -> Response:
    """Leads on to another page of the tenant, by GET."""
    return keep(reader, RedirectResponse(f"{reader.root}{path}", 303), changes)


def _delayed(answer: Response, refused: ArgusError) -> Response:
    """The answer, saying when another try may do (RFC 9110, 10.2.3)."""
    if refused.retry_after is not None:
        answer.headers["retry-after"] = str(wait_of(refused))
    return answer


def _fields(body: bytes) -> dict[str, str]:
    """The fields of a form, none of them twice.

    Raises:
        InvalidFieldError: It is no form.
    """
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MAX_FIELDS)
    except ValueError:
        raise InvalidFieldError("body", "must be a form in UTF-8") from None
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise InvalidFieldError("body", "has a field twice")
    if any(bodies.has_controls(text) for pair in pairs for text in pair):
        raise InvalidFieldError("body", "must not have control characters")
    return fields
