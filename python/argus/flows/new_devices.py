"""Says which devices are new to people who have used others before: `device.new`.

It is found out in the transaction that a device is kept in, so that whoever is told of it (mails, webhooks) is told
once, and of nothing that did not happen. A user's very first device is no news to anybody.
"""

from collections.abc import Sequence
from typing import Final, TypeAlias

from argus.base.events import Event
from argus.devices.service import Devices
from argus.sessions.store import SessionStore
from argus.storage.postgres import Transaction
from argus.storage.transaction import Recorded

CREATED: Final = "device.created"
"""Event of a device that was seen for the first time."""

_User: TypeAlias = tuple[str, str]


class NewDevices:
    """A witness of transactions that keep devices."""

    def __init__(self, devices: Devices, sessions: SessionStore) -> None:
        self._devices = devices
        self._sessions = sessions

    async def note(self, tx: Transaction) -> None:
        """Records `device.new` for each that is not its user's first."""
        made = [one for one in tx.recorded if one.event.type == CREATED]
        known = await self._users_with_others(tx, made)
        for one in made:
            if _user(one) in known:
                event = Event(type="device.new", user_id=one.event.user_id, data=one.event.data, told=one.event.told)
                tx.record(event, time=one.time, origin=one.origin)

    async def _users_with_others(self, tx: Transaction, made: Sequence[Recorded]) -> set[_User]:
        devices = [(*_user(one), one.event.data["device"]) for one in made]
        known = await self._devices.users_with_others(tx, devices)
        others = list({_user(one): None for one in made if _user(one) not in known})
        if not others:
            return known
        # A device can be forgotten; its sessions stay in the history.
        begun = [one.event.session_id for one in tx.recorded if one.event.type == "session.created"]
        return known | await self._sessions.users_with_others(tx, others, but=[one for one in begun if one])


def _user(one: Recorded) -> _User:
    return one.origin.tenant_id, one.event.user_id or ""
