"""Tells users by mail what happened to their account, in the transaction in which it happens.

What people are told of is decided event by event: whichever way a factor comes or goes, its event is recorded, and the
mail follows from it. A repeated request records none, so nothing is told twice.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, TypeAlias

from argus.devices.model import traits_of
from argus.devices.service import Devices
from argus.mail.model import MailMessage, Template
from argus.mail.service import Mails
from argus.plans.service import Plans
from argus.sessions.store import SessionStore
from argus.storage.postgres import Transaction
from argus.storage.transaction import Recorded
from argus.users.model import Reader
from argus.users.service import Users

TOLD: Final[Mapping[str, Template]] = {
    "credential.closed_to_unknown_devices": "factor_closed",
    "credential.deleted": "factor_removed",
    "credential.enrolled": "factor_added",
    "credential.password_set": "password_changed",
    "device.created": "new_device",
    "identifier.added": "identifier_added",
    "identifier.removed": "identifier_removed",
}
"""The events that users are told of by mail, and what that mail is."""

_NEW_DEVICE: Final = "device.created"
# Whoever has just been made, or has just chosen a first password, knows.
_BEGINNINGS: Final = frozenset({"invitation.accepted", "user.created"})

_User: TypeAlias = tuple[str, str]


class Notices:
    """Mails that need no answer: a new password, a new factor, a new device."""

    def __init__(self, users: Users, devices: Devices, sessions: SessionStore, plans: Plans, mails: Mails) -> None:
        self._users = users
        self._devices = devices
        self._sessions = sessions
        self._plans = plans
        self._mails = mails

    async def post(self, tx: Transaction) -> None:
        """Tells users what `tx` has recorded of them, at every address that is known to be their own.

        Without any it is told at the first one; where an address comes or goes, there, too.
        """
        found = [one for one in tx.recorded if _template(one) is not None and one.event.user_id]
        beginners = {_user(one) for one in tx.recorded if one.event.type in _BEGINNINGS}
        found = [one for one in found if _user(one) not in beginners and await self._is_sold(one)]
        if not found:
            return
        first = await self._first_devices(tx, [one for one in found if one.event.type == _NEW_DEVICE])
        readers = await self._users.readers(tx, list({_user(one): None for one in found}))
        async with tx.pipelined():  # sessions begin by the hundred in one transaction
            for one in found:
                reader = readers.get(_user(one))
                if reader is not None and not (one.event.type == _NEW_DEVICE and _user(one) in first):
                    await self._tell(tx, one, reader)

    async def _is_sold(self, one: Recorded) -> bool:
        """Devices are kept whatever was bought: with the next plan that has it only what is new then is told."""
        if one.event.type != _NEW_DEVICE:
            return True
        return (await self._plans.of(one.origin.tenant_id)).includes("new_device_notices")

    async def _tell(self, tx: Transaction, one: Recorded, reader: Reader) -> None:
        """In the user's language; else in that of the request."""
        template = _template(one)
        if template is None:
            return
        for address in dict.fromkeys([*reader.addresses, *_moved(one)]):
            message = MailMessage(
                template=template,
                to=address,
                locale=reader.locale or one.origin.languages,
                user_id=one.event.user_id,
                variables=_facts(one),
            )
            await self._mails.enqueue(tx, one.origin.tenant_id, message)

    async def _first_devices(self, tx: Transaction, made: Sequence[Recorded]) -> set[_User]:
        """Whose device is the first one ever: there is nobody else to be told of it."""
        if not made:
            return set()
        devices = [(*_user(one), one.event.data["device"]) for one in made]
        known = await self._devices.users_with_others(tx, devices)
        # A device can be forgotten; its sessions stay in the history.
        users = {_user(one) for one in made}
        begun = [one.event.session_id for one in tx.recorded if one.event.type == "session.created"]
        known |= await self._sessions.users_with_others(tx, list(users), but=[one for one in begun if one])
        return users - known


def readable(time: datetime) -> str:
    """A time for people, whatever their language and place."""
    return f"{time:%Y-%m-%d %H:%M} UTC"


def _template(one: Recorded) -> Template | None:
    """The mail of an event; a password can be a user's very first credential, or one more."""
    if one.event.type != "credential.password_set":
        return TOLD.get(one.event.type)
    templates: Mapping[str, Template] = {"changed": "password_changed", "beside": "factor_added"}
    return templates.get(one.event.told.get("as", ""))


def _user(one: Recorded) -> _User:
    return one.origin.tenant_id, one.event.user_id or ""


def _moved(one: Recorded) -> Sequence[str]:
    """The address that came or went."""
    is_address = one.event.type.startswith("identifier.") and one.event.data.get("kind") == "email"
    return [one.event.told["value"]] if is_address else []


def _facts(one: Recorded) -> Mapping[str, str]:
    """What, when, on which device and from where; who did it, where it was not a device of the user's."""
    origin, event = one.origin, one.event
    device = event.told.get("device") or traits_of(origin.user_agent).display_name
    is_remote = not (device or origin.ip_address or origin.actor.startswith("user:"))
    return {
        "name": "",
        "value": "",
        **event.told,
        "time": readable(one.time),
        "device": device,
        "place": origin.ip_address or "",
        "by": "service" if is_remote else "",
        "kind": event.data.get("kind", ""),
    }
