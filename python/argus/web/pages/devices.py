"""Your devices: where somebody is signed in, what happened there, and how to end it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from starlette.responses import Response
from starlette.routing import Route

from argus.base.errors import ArgusError
from argus.devices.model import DeviceTraits
from argus.flows.self.service import SelfService
from argus.sessions.model import Session
from argus.web.browser.actions import Actions
from argus.web.pages.locale import Locale
from argus.web.pages.members import Member, Members
from argus.web.pages.paging import older_path, page_token
from argus.web.pages.sign_in import CLEAR
from argus.web.pages.site import Site, keep, see

_SIZE: Final = 50
_EVENTS: Final = 20
_DONE: Final = ("ended", "ended_others", "renamed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A session, as its user sees it.

    Attributes:
        name: What the user calls it, else what it says of itself; "" if nothing is known.
        place: Where it was begun, as far as that is known.
    """

    id: str
    name: str
    device_type: str
    system: str
    place: str
    create_time: datetime
    last_active_time: datetime
    auth_time: datetime
    current: bool


class DevicePages:
    """The list, and a page for each."""

    def __init__(self, site: Site, members: Members, actions: Actions, selves: SelfService) -> None:
        self._site = site
        self._members = members
        self._actions = actions
        self._selves = selves

    def routes(self) -> list[Route]:
        """Where they are."""
        here, one = "/account/devices", "/account/devices/{session_id}"
        return [
            *self._members.route("/account", self._lead_on),
            *self._members.route(here, self._list),
            *self._members.route(f"{here}/end-others", take=self._end_others),
            *self._members.route(f"{here}/end-all", take=self._end_all),
            *self._members.route(one, self._show),
            *self._members.route(f"{one}/rename", take=self._rename),
            *self._members.route(f"{one}/end", take=self._end),
        ]

    async def _lead_on(self, member: Member) -> Response:
        return see(member.reader, "/account/devices")

    async def _list(self, member: Member) -> Response:
        token = page_token(member.reader)
        found = await self._selves.sessions.page(member.oneself, size=_SIZE, page_token=token)
        others = [one for one in found.sessions if one.session_id != member.oneself.session_id]
        # Of one page among several nobody knows how many there are in all.
        is_all = not token and not found.next_page_token
        current = await self._selves.sessions.current(member.oneself)
        return self._site.page(
            member.reader,
            "devices",
            section="devices",
            current=_device(current, member),
            others=[_device(one, member) for one in others],
            is_all=is_all,
            older=older_path(member.reader, found.next_page_token),
            notice=_notice(member),
        )

    async def _show(self, member: Member) -> Response:
        return await self._device_page(member)

    async def _device_page(self, member: Member, refused: ArgusError | None = None) -> Response:
        session = await self._own(member)
        shown = {"section": "devices", "session": _device(session, member), **await self._history(session, member)}
        if refused is not None:
            return self._site.again(member.reader, "device", refused, **shown)
        return self._site.page(member.reader, "device", notice=_notice(member), **shown)

    async def _history(self, session: Session, member: Member) -> dict[str, Any]:
        if not member.reader.bought.includes("history"):
            return {"events": (), "older": ""}
        name, token = member.own(session.session_id), page_token(member.reader)
        found = await self._selves.events.page_of_session(member.oneself, name, size=_EVENTS, page_token=token)
        return {"events": found.events, "older": older_path(member.reader, found.next_page_token)}

    async def _rename(self, member: Member) -> Response:
        member.reader.bought.require("device_names")
        session_id = member.reader.request.path_params["session_id"]
        origin = member.reader.visit.origin
        try:
            await self._selves.sessions.describe(
                member.oneself,
                member.own(session_id),
                display_name=member.reader.form.get("name", "").strip(),
                origin=origin,
            )
        except ArgusError as refused:
            return await self._device_page(member, refused)
        return see(member.reader, f"/account/devices/{session_id}?done=renamed")

    async def _end(self, member: Member) -> Response:
        session = await self._own(member)
        if session.session_id == member.oneself.session_id:
            return see(member.reader, "/sign-out")
        name = member.own(session.session_id)
        await self._selves.sessions.terminate(member.oneself, name, origin=member.reader.visit.origin)
        return see(member.reader, "/account/devices?done=ended")

    async def _end_others(self, member: Member) -> Response:
        origin = member.reader.visit.origin
        await self._selves.sessions.terminate_all(member.oneself, with_current=False, origin=origin)
        return see(member.reader, "/account/devices?done=ended_others")

    async def _end_all(self, member: Member) -> Response:
        reader = member.reader
        await self._selves.sessions.terminate_all(member.oneself, with_current=True, origin=reader.visit.origin)
        gone = await self._actions.sign_out(reader.visit)
        answer = self._site.message(reader, "sign_out.done_everywhere", path="/sign-in", label="sign_in.action")
        answer.headers["clear-site-data"] = CLEAR
        return keep(reader, answer, gone.changes)

    async def _own(self, member: Member) -> Session:
        """The session that the path names, if it is one of the member's."""
        session_id = member.reader.request.path_params["session_id"]
        return await self._selves.sessions.get(member.oneself, member.own(session_id))


def _device(session: Session, member: Member) -> Device:
    locale = member.reader.locale
    is_named = member.reader.bought.includes("device_names") and not _is_unnamed(session)
    return Device(
        id=session.session_id,
        name=session.display_name if is_named else _system(session, locale),
        device_type=session.device_type,
        system=_system(session, locale),
        place=", ".join(part for part in (session.city, session.country) if part) or session.ip_address or "",
        create_time=session.create_time,
        last_active_time=session.last_active_time,
        auth_time=session.auth_time,
        current=session.session_id == member.oneself.session_id,
    )


def _is_unnamed(session: Session) -> bool:
    """Nobody has named it: the name that it began with is in one language, and pages are in several."""
    traits = DeviceTraits(os=session.device_os, browser=session.device_browser)
    return session.display_name in ("", traits.display_name)


def _system(session: Session, locale: Locale) -> str:
    if session.device_browser and session.device_os:
        return locale.text("devices.on", browser=session.device_browser, os=session.device_os)
    return session.device_browser or session.device_os


def _notice(member: Member) -> str:
    """What was done just now; the address says it, and only what is on the list is believed."""
    done = member.reader.request.query_params.get("done", "")
    return member.reader.locale.text(f"devices.{done}") if done in _DONE else ""
