"""Security settings: how somebody signs in, and what protects the account. Each change needs a fresh proof."""

from typing import Final

from markupsafe import Markup
from starlette.responses import Response
from starlette.routing import Route

from argus.base.errors import ArgusError
from argus.base.ids import credential_name
from argus.credentials.totp.model import qr_svg
from argus.flows.factors import FactorRefusedError
from argus.flows.self.service import SelfService
from argus.web.browser.problems import reason_of
from argus.web.pages.members import Member, Members
from argus.web.pages.site import Site, see

_MOST: Final = 100
_HERE: Final = "/account/security"
_STEP_UP: Final = "STEP_UP_REQUIRED"
_DONE: Final = {
    "password": "password.done",
    "totp": "totp.done",
    "passkey": "passkey.done",
    "removed": "security.removed",
    "saved": "security.saved",
}
# After these the member is offered to have the other devices sign in anew (ASVS 5.0, 7.4.3).
_FACTOR_CHANGES: Final = frozenset({"totp.done", "passkey.done", "security.removed"})


class SecurityPages:
    """The overview, and a page for each change."""

    def __init__(self, site: Site, members: Members, selves: SelfService) -> None:
        self._site = site
        self._members = members
        self._selves = selves

    def routes(self) -> list[Route]:
        """Where they are."""
        here = _HERE
        return [
            *self._members.route(here, self._overview),
            *self._members.route(f"{here}/password", self._show_password, self._change_password),
            *self._members.route(f"{here}/totp", take=self._begin_totp),
            *self._members.route(f"{here}/totp/confirm", take=self._confirm_totp, back=here),
            *self._members.route(f"{here}/recovery-codes", take=self._make_codes),
            *self._members.route(f"{here}/passkeys", take=self._begin_passkey),
            *self._members.route(f"{here}/passkeys/finish", take=self._confirm_passkey, back=here),
            *self._members.route(f"{here}/{{credential_id}}", self._show_credential),
            *self._members.route(f"{here}/{{credential_id}}/rename", take=self._rename),
            *self._members.route(f"{here}/{{credential_id}}/remove", take=self._remove),
        ]

    async def _overview(self, member: Member) -> Response:
        credentials = self._selves.credentials
        owned, _ = await credentials.page(member.oneself, size=_MOST)
        done = _DONE.get(member.reader.request.query_params.get("done", ""), "")
        return self._site.page(
            member.reader,
            "security",
            section="security",
            password=await credentials.password(member.oneself),
            totp=next((one for one in owned if one.kind == "totp"), None),
            codes=await credentials.recovery_codes_left(member.oneself),
            passkeys=[one for one in owned if one.kind == "webauthn"],
            has_changed=done in _FACTOR_CHANGES,
            notice=member.reader.locale.text(done) if done else "",
        )

    async def _show_password(self, member: Member) -> Response:
        # Before anything is typed, not after.
        await self._selves.credentials.require_proof(member.oneself)
        return await self._password_form(member)

    async def _password_form(self, member: Member, refused: ArgusError | None = None) -> Response:
        user = await self._selves.user(member.oneself)
        identifier = user.identifiers[0].value if user.identifiers else ""
        shown = {"section": "security", "identifier": identifier}
        if refused is not None:
            return self._site.again(member.reader, "password", refused, **shown)
        return self._site.page(member.reader, "password", **shown)

    async def _change_password(self, member: Member) -> Response:
        form = member.reader.form
        try:
            await self._selves.credentials.change_password(
                member.oneself,
                form.get("new", ""),
                keep_others="end_others" not in form,
                origin=member.reader.visit.origin,
            )
        except ArgusError as refused:
            if reason_of(refused) == _STEP_UP:
                raise
            return await self._password_form(member, refused)
        return see(member.reader, "/account/security?done=password")

    async def _begin_totp(self, member: Member) -> Response:
        begun = await self._selves.credentials.begin_totp(member.oneself)
        return self._totp_form(member, begun.enrolment_id, begun.secret, qr_svg(begun.uri))

    def _totp_form(
        self, member: Member, enrolment_id: str, secret: str, qr: str = "", refused: ArgusError | None = None
    ) -> Response:
        """Shows what an app needs; after a wrong code without the picture, which the app has by then."""
        shown = {
            "page": "",
            "section": "security",
            "qr": Markup(qr),  # noqa: S704 - made by segno, without a byte of anybody's text
            "secret": secret,
            "enrolment": enrolment_id,
            "action": f"{member.reader.root}{_HERE}/totp/confirm",
            "leave": f"{member.reader.root}{_HERE}",
        }
        if refused is not None:
            return self._site.again(member.reader, "totp", refused, **shown)
        return self._site.page(member.reader, "totp", **shown)

    async def _confirm_totp(self, member: Member) -> Response:
        form = member.reader.form
        enrolment_id = form.get("enrolment", "")
        try:
            await self._selves.credentials.confirm_totp(
                member.oneself, enrolment_id, form.get("totp", ""), keep_others=True, origin=member.reader.visit.origin
            )
        except FactorRefusedError as refused:
            return self._totp_form(member, enrolment_id, form.get("secret", ""), refused=refused)
        return see(member.reader, f"{_HERE}?done=totp")

    async def _make_codes(self, member: Member) -> Response:
        origin = member.reader.visit.origin
        _, codes = await self._selves.credentials.replace_recovery_codes(member.oneself, origin=origin)
        leave = f"{member.reader.root}{_HERE}"
        return self._site.page(member.reader, "codes", page="", section="security", codes=codes, leave=leave)

    async def _begin_passkey(self, member: Member) -> Response:
        begun = await self._selves.credentials.begin_passkey(member.oneself)
        here = f"{member.reader.root}{_HERE}"
        return self._site.page(
            member.reader,
            "passkey",
            page="",
            section="security",
            options=begun.options_json,
            enrolment=begun.enrolment_id,
            action=f"{here}/passkeys/finish",
            leave=here,
            has_name=True,
        )

    async def _confirm_passkey(self, member: Member) -> Response:
        form = member.reader.form
        await self._selves.credentials.confirm_passkey(
            member.oneself,
            form.get("enrolment", ""),
            form.get("webauthn", ""),
            display_name=form.get("name", "").strip(),
            keep_others=True,
            origin=member.reader.visit.origin,
        )
        return see(member.reader, f"{_HERE}?done=passkey")

    async def _show_credential(self, member: Member) -> Response:
        return await self._credential_page(member)

    async def _credential_page(self, member: Member, refused: ArgusError | None = None) -> Response:
        one = await self._selves.credentials.get(member.oneself, _wanted(member))
        shown = {"section": "security", "one": one}
        if refused is not None:
            return self._site.again(member.reader, "credential", refused, **shown)
        return self._site.page(member.reader, "credential", **shown)

    async def _rename(self, member: Member) -> Response:
        name, origin = member.reader.form.get("name", "").strip(), member.reader.visit.origin
        try:
            await self._selves.credentials.rename(member.oneself, _wanted(member), name, origin=origin)
        except ArgusError as refused:
            return await self._credential_page(member, refused)
        return see(member.reader, f"{_HERE}?done=saved")

    async def _remove(self, member: Member) -> Response:
        origin = member.reader.visit.origin
        try:
            await self._selves.credentials.delete(member.oneself, _wanted(member), keep_others=True, origin=origin)
        except ArgusError as refused:
            if reason_of(refused) == _STEP_UP:
                raise
            return await self._credential_page(member, refused)
        return see(member.reader, f"{_HERE}?done=removed")


def _wanted(member: Member) -> str:
    """The name that the credential of the path has, if it is the member's."""
    oneself = member.oneself
    return credential_name(oneself.tenant_id, oneself.user_id, member.reader.request.path_params["credential_id"])
