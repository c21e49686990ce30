"""What mails lead to: a new password, a registration, an invitation, a verified address.

A link carries its secret behind the hash, which no server, log or scanner sees; the script puts it into the form, and
only the form's POST uses it. Without a script the reader pastes the link.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Literal

from starlette.responses import Response
from starlette.routing import Route

from argus.accounts.model import LinkInvalidError, RegistrationClosedError
from argus.base.errors import ArgusError
from argus.flows.accounts.asking import Asking
from argus.flows.accounts.invitation import Invitation
from argus.flows.accounts.not_me import NotMe, Reported
from argus.flows.accounts.recovery import Recovery
from argus.flows.accounts.registration import Registration
from argus.flows.accounts.verification import Verification
from argus.web.pages.render import Reader
from argus.web.pages.site import Site

Purpose = Literal["recovery", "registration", "verification", "invitation", "not-me"]

_ASKED: Final[tuple[Purpose, ...]] = ("recovery", "registration", "verification")
"""What anybody may ask a mail for; who has no account or has one learns it from the mail alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkFlows:
    """What is begun by a mail, and completed by its link."""

    asking: Asking
    recovery: Recovery
    registration: Registration
    verification: Verification
    invitation: Invitation
    not_me: NotMe


class AccountPages:
    """Asking for a link, and using one."""

    def __init__(self, site: Site, flows: LinkFlows) -> None:
        self._site = site
        self._flows = flows

    def routes(self) -> list[Route]:
        """Where they are; the paths of links are those in the mails (`flows.accounts.posting`)."""
        asking = self._flows.asking
        return [
            *self._ask("recovery", asking.recovery),
            *self._ask("registration", asking.registration),
            *self._ask("verification", asking.verification),
            *self._link("recovery", self._recover),
            *self._link("registration", self._register),
            *self._link("verification", self._verify),
            *self._link("invitation", self._accept),
            *self._link("not-me", self._report),
        ]

    def _ask(self, purpose: Purpose, ask: Callable[..., Awaitable[None]]) -> list[Route]:
        async def show(reader: Reader) -> Response:
            if purpose == "registration" and not await self._flows.asking.lets_register(reader.tenant.tenant_id):
                raise RegistrationClosedError
            return self._site.page(reader, "ask", purpose=purpose, address="")

        async def take(reader: Reader) -> Response:
            address = reader.form.get("identifier", "")
            try:
                await ask(reader.tenant.tenant_id, address, locale=reader.locale.tag, origin=reader.visit.origin)
            except ArgusError as refused:
                return self._site.again(reader, "ask", refused, purpose=purpose, address=address)
            return self._site.page(reader, "sent", purpose=purpose, address=address, is_again="again" in reader.form)

        return self._site.route(f"/{purpose}", show, take)

    def _link(self, purpose: Purpose, use: Callable[[Reader, str], Awaitable[object]]) -> list[Route]:
        async def show(reader: Reader) -> Response:
            return self._site.page(reader, "link", purpose=purpose, token="")

        async def take(reader: Reader) -> Response:
            # Pasted by hand it may be the whole link.
            token = (reader.form.get("token") or reader.form.get("link", "")).rpartition("#")[2].strip()
            try:
                done = await use(reader, token)
            except LinkInvalidError:
                return self._over(reader, purpose)
            except ArgusError as refused:
                return self._site.again(reader, "link", refused, purpose=purpose, token=token)
            if isinstance(done, Reported):
                return self._reported(reader, done)
            key = "link.recovery.done_alone" if purpose == "recovery" and done is None else f"link.{purpose}.done"
            return self._site.message(reader, key, path="/sign-in", label="sign_in.action")

        return self._site.route(f"/account/{purpose}", show, take)

    def _over(self, reader: Reader, purpose: Purpose) -> Response:
        """The link is good no more; what can be asked for anew is one step away."""
        if purpose in _ASKED:
            return self._site.message(reader, "link.over", path=f"/{purpose}", label="link.anew")
        if purpose == "not-me":
            return self._site.message(reader, "link.over_not_me", path="/account/devices", label="link.devices")
        return self._site.message(reader, "link.over_invitation", path="/sign-in", label="sign_in.action")

    def _reported(self, reader: Reader, done: Reported) -> Response:
        if done.password_closed:
            return self._site.message(reader, "link.not-me.done", path="/recovery", label="link.new_password")
        return self._site.message(reader, "link.not-me.done_alone", path="/account/devices", label="link.devices")

    async def _report(self, reader: Reader, token: str) -> Reported:
        return await self._flows.not_me.complete(reader.visit.tenant_id, token, origin=reader.visit.origin)

    async def _recover(self, reader: Reader, token: str) -> object:
        password, visit = reader.form.get("password", ""), reader.visit
        return await self._flows.recovery.complete(visit.tenant_id, token, password, origin=visit.origin)

    async def _register(self, reader: Reader, token: str) -> object:
        password, visit = reader.form.get("password", ""), reader.visit
        return await self._flows.registration.complete(
            visit.tenant_id, token, password, display_name=reader.form.get("name", ""), origin=visit.origin
        )

    async def _verify(self, reader: Reader, token: str) -> object:
        return await self._flows.verification.complete(reader.visit.tenant_id, token, origin=reader.visit.origin)

    async def _accept(self, reader: Reader, token: str) -> None:
        password, visit = reader.form.get("password", ""), reader.visit
        await self._flows.invitation.accept(visit.tenant_id, token, password, origin=visit.origin)
