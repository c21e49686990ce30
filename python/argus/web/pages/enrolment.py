"""The enrolment that a sign-in asks for: an app or a passkey, where the policy demands more than the user can prove."""

from typing import Final

from markupsafe import Markup
from starlette.responses import Response
from starlette.routing import Route

from argus.base.errors import ArgusError
from argus.credentials.levels import Method
from argus.flows.login import Logins
from argus.sessions.login_store import LoginNotFoundError
from argus.web.browser.actions import Actions
from argus.web.browser.cookies import LOGIN
from argus.web.pages.render import Reader, with_onward
from argus.web.pages.sign_in import gone_on, hand_in
from argus.web.pages.site import Site

# What can be enrolled, and the fields that it is handed in by.
_KINDS: Final[tuple[Method, ...]] = ("webauthn", "totp")


class EnrolmentPages:
    """Which one, and how."""

    def __init__(self, site: Site, actions: Actions, logins: Logins) -> None:
        self._site = site
        self._actions = actions
        self._logins = logins

    def routes(self) -> list[Route]:
        """Where they are."""
        return self._site.route("/sign-in/enrol", self._show, self._take)

    async def _show(self, reader: Reader) -> Response:
        return await self._choice(reader)

    async def _choice(self, reader: Reader, refused: ArgusError | None = None) -> Response:
        login = await self._logins.of_token(reader.tenant.tenant_id, reader.visit.cookies.get(LOGIN, ""))
        kinds = [kind for kind in _KINDS if kind in login.challenges]
        shown = {"kinds": kinds, "leave": _leave(reader)}
        if refused is not None:
            return self._site.again(reader, "enrol", refused, **shown)
        return self._site.page(reader, "enrol", **shown)

    async def _take(self, reader: Reader) -> Response:
        handed_in = next((kind for kind in _KINDS if kind in reader.form), None)
        if handed_in is None:
            return await self._begin(reader)
        try:
            return gone_on(reader, await hand_in(self._actions, reader, handed_in))
        except LoginNotFoundError:
            raise
        except ArgusError as refused:
            if handed_in == "totp":
                return self._totp(reader, reader.form.get("secret", ""), refused=refused)
            return await self._choice(reader, refused)

    async def _begin(self, reader: Reader) -> Response:
        kind: Method = "webauthn" if reader.form.get("kind") == "webauthn" else "totp"
        _, made = await self._actions.begin_enrolment(reader.visit, kind)
        if kind == "totp":
            return self._totp(reader, made.secret, made.qr_svg)
        return self._site.page(
            reader,
            "passkey",
            page="gate.html",
            options=made.options_json,
            enrolment="",
            action=_action(reader),
            leave=_action(reader),
            has_name=False,
        )

    def _totp(self, reader: Reader, secret: str, qr: str = "", refused: ArgusError | None = None) -> Response:
        """Shows what an app needs; after a wrong code without the picture, which the app has by then."""
        shown = {
            "page": "gate.html",
            "qr": Markup(qr),  # noqa: S704 - made by segno of an address, without a byte of anybody's text
            "secret": secret,
            "enrolment": "",
            "action": _action(reader),
            "leave": _action(reader),
        }
        if refused is not None:
            return self._site.again(reader, "totp", refused, **shown)
        return self._site.page(reader, "totp", **shown)


def _action(reader: Reader) -> str:
    return reader.root + with_onward("/sign-in/enrol", reader.onward)


def _leave(reader: Reader) -> str:
    return reader.root + with_onward("/sign-in", reader.onward)
