"""The choice that a sign-in asks for: where to sign out, where a concurrent limit is reached."""

from typing import Final

from starlette.responses import Response
from starlette.routing import Route

from argus.base.errors import ArgusError, InvalidFieldError
from argus.flows.login import Logins
from argus.sessions.login_store import Login, LoginNotFoundError
from argus.web.browser.actions import Actions
from argus.web.browser.cookies import LOGIN
from argus.web.pages.devices import shown_device
from argus.web.pages.render import Reader, with_onward
from argus.web.pages.sign_in import gone_on
from argus.web.pages.site import Site, see

# A field a session: no field of a form is there twice.
_FIELD: Final = "end."


class ChoosingPages:
    """The sessions, each with a box to check."""

    def __init__(self, site: Site, actions: Actions, logins: Logins) -> None:
        self._site = site
        self._actions = actions
        self._logins = logins

    def routes(self) -> list[Route]:
        """Where they are."""
        return self._site.route("/sign-in/sessions", self._show, self._take)

    async def _show(self, reader: Reader) -> Response:
        login = await self._login(reader)
        if login.state != "SESSION_LIMIT_REACHED":
            return see(reader, with_onward("/sign-in/factor", reader.onward))
        return await self._form(reader, login)

    async def _form(self, reader: Reader, login: Login, refused: ArgusError | None = None) -> Response:
        choices = await self._actions.ending_choices(login)
        shown = {
            "choices": [shown_device(one, reader) for one in choices],
            "checked": {name.removeprefix(_FIELD) for name in reader.form},
            "field": _FIELD,
            "at_least": min(login.end_at_least, len(choices)),
            "action": reader.root + with_onward("/sign-in/sessions", reader.onward),
            "leave": reader.root + with_onward("/sign-in", reader.onward),
            "is_unchosen": isinstance(refused, InvalidFieldError),
        }
        if refused is not None:
            return self._site.again(reader, "choose", refused, **shown)
        return self._site.page(reader, "choose", **shown)

    async def _take(self, reader: Reader) -> Response:
        login = await self._login(reader)
        offered = set(login.ending_choices)
        chosen = [name.removeprefix(_FIELD) for name in reader.form if name.startswith(_FIELD)]
        names = [(login.tenant_id, login.user_id, one) for one in chosen if one in offered]
        try:
            # Where all have ended meanwhile nothing is left to choose.
            if not names and await self._actions.ending_choices(login):
                raise InvalidFieldError("end_sessions", "is required")
            return gone_on(reader, await self._actions.end_sessions(reader.visit, names))
        except LoginNotFoundError:
            raise
        except ArgusError as refused:
            return await self._form(reader, login, refused)

    async def _login(self, reader: Reader) -> Login:
        return await self._logins.of_token(reader.tenant.tenant_id, reader.visit.cookies.get(LOGIN, ""))
