"""Signing in and out: a password, a passkey or a code by mail, and what else is asked for."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final
from urllib.parse import urlencode

from starlette.responses import Response
from starlette.routing import Route

from argus.base.errors import ArgusError
from argus.credentials.levels import Method
from argus.flows.accounts.asking import Asking
from argus.flows.login import Logins
from argus.sessions.login_store import Login, LoginNotFoundError
from argus.web.browser import bodies
from argus.web.browser.actions import Actions, Progress
from argus.web.browser.cookies import LOGIN, Change
from argus.web.pages.members import Members
from argus.web.pages.render import ONWARD, Reader, with_onward
from argus.web.pages.site import Site, keep, see

CLEAR: Final = '"cache", "storage"'
"""What browsers forget at a sign-out (Clear-Site-Data). Cookies go one by one, so that the device stays known."""

# Fields of the page that asks for a factor, and the methods that they answer.
_ANSWERS: Final[tuple[Method, ...]] = ("webauthn", "totp", "recovery_code", "email_code", "password")
_BEGINNING: Final = frozenset({"password", "webauthn"})
_SENT: Final = "sent"


class SignInPages:
    """What those see who are not signed in, or are to prove themselves anew."""

    def __init__(
        self,
        site: Site,
        members: Members,
        actions: Actions,
        logins: Logins,
        asking: Asking,
        *,
        has_recovery: bool,
        has_email_codes: bool,
    ) -> None:
        """Takes what the pages call.

        Args:
            site: Every page.
            members: Knows who is signed in already.
            actions: What browsers do about their sessions.
            logins: Logins in progress.
            asking: Has codes sent, and says who may register.
            has_recovery: Mails can be sent, and so passwords be reset.
            has_email_codes: A login may begin with a code by mail.
        """
        self._site = site
        self._members = members
        self._actions = actions
        self._logins = logins
        self._asking = asking
        self._has_recovery = has_recovery
        self._has_email_codes = has_email_codes

    def routes(self) -> list[Route]:
        """Where they are."""
        return [
            *self._site.route("/sign-in", self._show, self._take),
            self._site.script("/sign-in/passkey/options", self._passkey_options),
            *self._site.route("/sign-in/passkey", take=self._take_passkey),
            *self._site.route("/sign-in/code", take=self._send_code),
            *self._site.route("/sign-in/factor", self._show_factor, self._take_factor),
            *self._site.route("/sign-out", self._show_sign_out, self._sign_out),
        ]

    async def _show(self, reader: Reader) -> Response:
        is_known, changes = await self._members.is_known(reader)
        if is_known:
            return see(reader, reader.onward or "/account", changes)
        return self._members.ask_again(reader) or await self._form(reader)

    async def _form(self, reader: Reader, refused: ArgusError | None = None) -> Response:
        shown = {
            "identifier": reader.form.get("identifier", ""),
            "recovery": self._has_recovery,
            "registration": await self._asking.lets_register(reader.tenant.tenant_id),
            "email_codes": self._has_email_codes,
        }
        if refused is not None:
            return self._site.again(reader, "sign_in", refused, **shown)
        return self._site.page(reader, "sign_in", **shown)

    async def _take(self, reader: Reader) -> Response:
        try:
            begun = await self._actions.start_sign_in(reader.visit, identifier=reader.form.get("identifier", ""))
            return gone_on(reader, await self._submit(_with_login(reader, begun), "password"))
        except ArgusError as refused:
            return await self._form(reader, refused)

    async def _passkey_options(self, reader: Reader) -> tuple[str, Sequence[Change]]:
        begun = await self._actions.start_sign_in(reader.visit, identifier="")
        return begun.step.login.challenges["webauthn"], begun.changes

    async def _take_passkey(self, reader: Reader) -> Response:
        try:
            return gone_on(reader, await self._submit(reader, "webauthn"))
        except ArgusError as refused:
            return await self._form(reader, refused)

    async def _send_code(self, reader: Reader) -> Response:
        """Has a code sent: for a new login of whoever is named, or for the one in progress."""
        if "identifier" in reader.form:
            try:
                begun = await self._actions.start_sign_in(reader.visit, identifier=reader.form["identifier"])
                await self._ask_code(reader, begun.step.login)
            except ArgusError as refused:
                return await self._form(reader, refused)
            return see(reader, _code_path(reader), begun.changes)
        login = await self._login(reader)
        try:
            await self._ask_code(reader, login)
        except ArgusError as refused:
            return self._factor_form(reader, login, refused)
        return see(reader, _code_path(reader, is_again="again" in reader.form))

    async def _ask_code(self, reader: Reader, login: Login) -> None:
        await self._asking.email_code(login, locale=reader.locale.tag, origin=reader.visit.origin)

    async def _show_factor(self, reader: Reader) -> Response:
        return self._factor_form(reader, await self._login(reader))

    def _factor_form(self, reader: Reader, login: Login, refused: ArgusError | None = None) -> Response:
        challenges, asked = login.challenges, reader.request.query_params
        is_sent = asked.get("code") == _SENT or "email_code" in reader.form
        shown = {
            # Whoever has asked for a code has left behind what a login can begin with.
            "kinds": [kind for kind in _ANSWERS if kind in challenges and not (is_sent and kind in _BEGINNING)],
            "is_sent": is_sent,
            "is_sent_again": "again" in asked and refused is None,
            "passkey": challenges.get("webauthn", ""),
            "leave": reader.root + _way_out(reader, login),
            "is_step_up": login.is_step_up,
        }
        if refused is not None:
            return self._site.again(reader, "factor", refused, **shown)
        return self._site.page(reader, "factor", **shown)

    async def _take_factor(self, reader: Reader) -> Response:
        method = next((name for name in _ANSWERS if reader.form.get(name)), _ANSWERS[-1])
        try:
            return gone_on(reader, await self._submit(reader, method))
        except LoginNotFoundError:
            raise
        except ArgusError as refused:
            return self._factor_form(reader, await self._login(reader), refused)

    async def _show_sign_out(self, reader: Reader) -> Response:
        return self._site.page(reader, "sign_out")

    async def _sign_out(self, reader: Reader) -> Response:
        done = await self._actions.sign_out(reader.visit)
        answer = self._site.message(reader, "sign_out.done", path="/sign-in", label="sign_in.action")
        answer.headers["clear-site-data"] = CLEAR
        return keep(reader, answer, done.changes)

    async def _login(self, reader: Reader) -> Login:
        return await self._logins.shown(reader.tenant.tenant_id, reader.visit.cookies.get(LOGIN, ""))

    async def _submit(self, reader: Reader, method: Method) -> Progress:
        return await hand_in(self._actions, reader, method)


async def hand_in(actions: Actions, reader: Reader, method: Method) -> Progress:
    """Hands in the factor of a form, and what the page's script has said beside it."""
    fingerprint = bodies.fingerprint_text(reader.form.get("fingerprint", ""))
    return await actions.submit(reader.visit, method, reader.form.get(method, ""), fingerprint=fingerprint)


def gone_on(reader: Reader, progress: Progress) -> Response:
    """Leads on to whatever comes next."""
    match progress.step.login.state:
        case "FACTOR_REQUIRED":
            path = with_onward("/sign-in/factor", reader.onward)
        case "ENROLMENT_REQUIRED":
            path = with_onward("/sign-in/enrol", reader.onward)
        case "SESSION_LIMIT_REACHED":
            path = with_onward("/sign-in/sessions", reader.onward)
        case _:
            path = reader.onward or "/account"
    return see(reader, path, progress.changes)


def _way_out(reader: Reader, login: Login) -> str:
    """Where whoever gives up goes: to another sign-in, or back from where a proof was asked for."""
    return "/account" if login.is_step_up else with_onward("/sign-in", reader.onward)


def _code_path(reader: Reader, *, is_again: bool = False) -> str:
    """The page that takes the code which was sent."""
    asked = {"code": _SENT} | ({"again": "1"} if is_again else {})
    return f"/sign-in/factor?{urlencode(asked | ({ONWARD: reader.onward} if reader.onward else {}))}"


def _with_login(reader: Reader, begun: Progress) -> Reader:
    """The same request, as if it had come with the login that was begun in it."""
    cookies = {**reader.visit.cookies, LOGIN: begun.step.login_token}
    return replace(reader, visit=replace(reader.visit, cookies=cookies))
