"""Your devices: where somebody is signed in, what happened there, and how to end it."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from starlette.responses import Response
from starlette.routing import Route

from argus.base.errors import ArgusError
from argus.clients.model import ACCOUNT_CLIENT
from argus.devices.model import DeviceNotFoundError, DeviceTraits
from argus.flows.known_devices import KnownDevice
from argus.flows.self.service import SelfService
from argus.networks.model import Credit
from argus.networks.service import Networks
from argus.sessions.model import Session
from argus.web.browser.actions import Actions
from argus.web.pages.locale import Locale
from argus.web.pages.members import Member, Members
from argus.web.pages.paging import older_path, page_token
from argus.web.pages.render import Reader
from argus.web.pages.sign_in import CLEAR
from argus.web.pages.site import Site, keep, see

_SIZE: Final = 50
_EVENTS: Final = 20
_DONE: Final = ("ended", "ended_others", "renamed", "trusted", "distrusted", "forgotten")
_KNOWN: Final = 50
# Of people's own networks nothing need be said.
_ODD_NETWORKS: Final = ("hosting", "anonymiser")


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A session, as its user sees it.

    Attributes:
        name: What the user calls it, else what it says of itself; "" if nothing is known.
        place: Where it was last seen, as far as that is known.
        client: What it was begun for, where that is not the account itself.
        category: Group that the user has put it in.
        version: System and browser with what is known of their versions.
        network: Who runs the network that it is in, and what kind of network that is.
        known: The device behind it; None: it is not known (any more).
    """

    id: str
    name: str
    device_type: str
    system: str
    place: str
    client: str
    create_time: datetime
    last_active_time: datetime
    auth_time: datetime
    current: bool
    category: str
    versions: Sequence[tuple[str, str]]
    network: str
    network_class: str
    known: KnownDevice | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Absent:
    """A device that is known and that nobody is signed in on."""

    id: str
    name: str
    device_type: str
    place: str
    category: str
    last_seen_time: datetime
    is_trusted: bool


class DevicePages:
    """The list, and a page for each."""

    def __init__(self, site: Site, members: Members, actions: Actions, selves: SelfService, networks: Networks) -> None:
        self._networks = networks
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
            *self._members.route(f"{one}/trust", take=self._trust),
            *self._members.route(f"{one}/forget", take=self._forget),
            *self._members.route("/account/known-devices/{device_id}/forget", take=self._forget_absent, back=here),
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
            current=shown_device(current, member.reader, is_current=True),
            others=sorted((shown_device(one, member.reader) for one in others), key=_group),
            absent=await self._absent(member, found.sessions) if is_all else [],
            credits=self._credits([current, *others]),
            is_all=is_all,
            older=older_path(member.reader, found.next_page_token),
            notice=_notice(member),
        )

    async def _show(self, member: Member) -> Response:
        return await self._device_page(member)

    async def _device_page(self, member: Member, refused: ArgusError | None = None) -> Response:
        session = await self._own(member)
        known = await self._known(member, session)
        shown = {
            "section": "devices",
            "session": shown_device(
                session,
                member.reader,
                is_current=session.session_id == member.oneself.session_id,
                known=known,
            ),
            "credits": self._credits([session]),
            **await self._history(session, member),
        }
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
        """Names the device, so that its next sign-ins are called so, too; a forgotten one's session alone."""
        member.reader.bought.require("device_names")
        session, origin = await self._own(member), member.reader.visit.origin
        name, category = (member.reader.form.get(field, "").strip() for field in ("name", "category"))
        if name == _system(session, member.reader.locale) and _is_unnamed(session):
            name = ""  # what stood there already, in the reader's language
        try:
            if await self._known(member, session) is not None:
                await self._selves.devices.describe(
                    member.oneself, session.device_id or "", display_name=name, category=category, origin=origin
                )
            else:
                await self._selves.sessions.describe(
                    member.oneself, session.name, display_name=name, category=category, origin=origin
                )
        except ArgusError as refused:
            return await self._device_page(member, refused)
        return see(member.reader, f"/account/devices/{session.session_id}?done=renamed")

    async def _trust(self, member: Member) -> Response:
        session = await self._own(member)
        ends = "no" in member.reader.form
        try:
            await self._selves.devices.trust(
                member.oneself,
                session.device_id or "",
                trusted_for=timedelta(0) if ends else None,
                origin=member.reader.visit.origin,
            )
        except ArgusError as refused:
            return await self._device_page(member, refused)
        return see(member.reader, f"/account/devices/{session.session_id}?done={'distrusted' if ends else 'trusted'}")

    async def _forget(self, member: Member) -> Response:
        session = await self._own(member)
        return await self._forgotten(member, session.device_id or "")

    async def _forget_absent(self, member: Member) -> Response:
        return await self._forgotten(member, member.reader.request.path_params["device_id"])

    async def _forgotten(self, member: Member, device_id: str) -> Response:
        await self._selves.devices.forget(member.oneself, device_id, origin=member.reader.visit.origin)
        return see(member.reader, "/account/devices?done=forgotten")

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

    async def _known(self, member: Member, session: Session) -> KnownDevice | None:
        """The device of a session; None: it was forgotten since."""
        with suppress(DeviceNotFoundError):
            return await self._selves.devices.get(member.oneself, session.device_id) if session.device_id else None
        return None

    async def _absent(self, member: Member, sessions: Sequence[Session]) -> list[Absent]:
        """Known devices that none of these sessions is on."""
        found = await self._selves.devices.page(member.oneself, size=_KNOWN)
        present = {one.device_id for one in sessions}
        return [_absent(one, member) for one in found.devices if one.device.device_id not in present]

    def _credits(self, sessions: Sequence[Session]) -> Sequence[Credit]:
        """What is to be shown beside these sessions' places."""
        return self._networks.credits if any(one.place.text for one in sessions) else []

    async def _own(self, member: Member) -> Session:
        """The session that the path names, if it is one of the member's."""
        session_id = member.reader.request.path_params["session_id"]
        return await self._selves.sessions.get(member.oneself, member.own(session_id))


def shown_device(
    session: Session, reader: Reader, *, is_current: bool = False, known: KnownDevice | None = None
) -> Device:
    """A session in the words of its user."""
    locale, place = reader.locale, session.place
    may_name = reader.bought.includes("device_names")
    is_named = may_name and not _is_unnamed(session)
    return Device(
        id=session.session_id,
        name=session.display_name if is_named else _system(session, locale),
        device_type=session.device_type,
        system=_system(session, locale),
        place=place.text or session.seen_ip_address or session.ip_address or "",
        client="" if session.client_id == ACCOUNT_CLIENT else session.client_id,
        create_time=session.create_time,
        last_active_time=session.last_active_time,
        auth_time=session.auth_time,
        current=is_current,
        category=session.category if may_name else "",
        versions=[
            (label, f"{name} {version}".strip())
            for label, name, version in (
                ("device.system", session.device_os, session.device_os_version),
                ("device.browser", session.device_browser, session.device_browser_version),
            )
            if name
        ],
        network=place.asn_name or "",
        network_class=place.network_class if place.network_class and place.network_class in _ODD_NETWORKS else "",
        known=known,
    )


def _absent(known: KnownDevice, member: Member) -> Absent:
    device, locale = known.device, member.reader.locale
    traits = device.traits
    may_name = member.reader.bought.includes("device_names")
    called = traits.browser and traits.os and locale.text("devices.on", browser=traits.browser, os=traits.os)
    return Absent(
        id=device.device_id,
        name=(device.display_name if may_name else "") or called or traits.display_name,
        device_type=traits.type,
        place=device.place.text,
        category=device.category if may_name else "",
        last_seen_time=device.last_seen_time,
        is_trusted=known.trust_expire_time is not None,
    )


def _group(device: Device) -> tuple[bool, str]:
    """Devices of a group stand together, those of none behind them; in each the newest comes first."""
    return not device.category, device.category.casefold()


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
