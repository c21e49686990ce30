"""Tells users by mail what happened to their account, in the transaction in which it happens.

What people are told of is decided event by event: whichever way a factor comes or goes, its event is recorded, and the
mail follows from it. A repeated request records none, so nothing is told twice.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, TypeAlias

from argus.accounts.model import Link, Purpose
from argus.accounts.service import Links
from argus.devices.traits import traits_of
from argus.mail.model import MailMessage, Template
from argus.mail.service import Mails
from argus.networks.model import Credit
from argus.networks.service import Networks
from argus.notifications.preferences.service import Preferences
from argus.plans.model import Subscription
from argus.plans.service import Plans
from argus.storage.postgres import Transaction
from argus.storage.transaction import Recorded
from argus.users.model import Reader
from argus.users.service import Users

TOLD: Final[Mapping[str, Template]] = {
    "credential.closed_to_unknown_devices": "factor_closed",
    "credential.deleted": "factor_removed",
    "credential.enrolled": "factor_added",
    "credential.password_set": "password_changed",
    "device.new": "new_device",
    "device.reported": "device_reported",
    "identifier.added": "identifier_added",
    "identifier.removed": "identifier_removed",
    "session.ended": "session_limit",
}
"""The events that users are told of by mail, and what that mail is."""

_LINKS: Final[Mapping[str, Purpose]] = {"device.new": "not_me", "device.reported": "recovery"}
# Whoever has just been made, or has just chosen a first password, knows.
_BEGINNINGS: Final = frozenset({"invitation.accepted", "user.created"})

_User: TypeAlias = tuple[str, str]


class Notices:
    """Mails that need no answer: a new password, a new factor, a new device."""

    def __init__(
        self,
        users: Users,
        plans: Plans,
        preferences: Preferences,
        mails: Mails,
        links: Links,
        networks: Networks,
    ) -> None:
        self._users = users
        self._plans = plans
        self._preferences = preferences
        self._mails = mails
        self._links = links
        self._networks = networks

    async def post(self, tx: Transaction) -> None:
        """Tells users what `tx` has recorded of them, at every address that is known to be their own.

        Without any it is told at the first one; where an address comes or goes, there, too.
        """
        found = [one for one in tx.recorded if _template(one) is not None and one.event.user_id]
        beginners = {_user(one) for one in tx.recorded if one.event.type in _BEGINNINGS}
        found = [one for one in found if _user(one) not in beginners and await self._is_sold(one)]
        if not found:
            return
        unwanted = await self._preferences.unwanted(tx, [(*_user(one), _template(one) or "") for one in found])
        found = [one for one in found if (*_user(one), _template(one) or "") not in unwanted]
        if not found:
            return
        readers = await self._users.readers(tx, list({_user(one): None for one in found}))
        async with tx.pipelined():  # sessions begin by the hundred in one transaction
            for one in found:
                reader = readers.get(_user(one))
                if reader is not None:
                    await self._tell(tx, one, reader)

    async def _is_sold(self, one: Recorded) -> bool:
        return (await self._plans.of(one.origin.tenant_id)).tells(one.event.type)

    async def _tell(self, tx: Transaction, one: Recorded, reader: Reader) -> None:
        """In the user's language; else in that of the request."""
        template = _template(one)
        if template is None:
            return
        for address in dict.fromkeys([*reader.addresses, *_moved(one)]):
            link = await self._link(tx, one, address)
            message = MailMessage(
                template=template,
                to=address,
                locale=reader.locale or one.origin.languages,
                user_id=one.event.user_id,
                variables=self._facts(one),
                link_id=link.link_id if link else None,
                expire_time=link.expire_time if link else None,
            )
            await self._mails.enqueue(tx, one.origin.tenant_id, message)

    async def _link(self, tx: Transaction, one: Recorded, address: str) -> Link | None:
        """What its reader can do about it at once; each address has a link of its own, which proves it."""
        purpose = _LINKS.get(one.event.type)
        if purpose is None or (purpose == "recovery" and one.event.data.get("password_closed") != "true"):
            return None
        tenant_id, user_id = _user(one)
        subject = one.event.data.get("device", "")
        return await self._links.make(tx, purpose, tenant_id, user_id=user_id, address=address, subject=subject)

    def _facts(self, one: Recorded) -> Mapping[str, str]:
        """What, when, on which device and from where; who did it, where it was not a device of the user's."""
        origin, event = one.origin, one.event
        here = traits_of(origin.user_agent)
        device = event.told.get("device") or here.display_name
        is_remote = not (device or origin.ip_address or origin.actor.startswith("user:"))
        where = self._networks.look_up(origin.ip_address).text
        return {
            "name": "",
            "value": "",
            "browser": here.browser,
            "os": here.os,
            **event.told,
            "time": readable(one.time),
            "device": device,
            "place": origin.ip_address or "",
            "where": where,
            "credit": credit_line(self._networks.credits) if where else "",
            "by": "service" if is_remote else "",
            "kind": event.data.get("kind", ""),
        }


def is_sent(notice: str, bought: Subscription) -> bool:
    """Whether a notice is sent to the users of a tenant that has bought this."""
    return any(bought.tells(event_type) for event_type, template in TOLD.items() if template == notice)


def credit_line(told: Sequence[Credit]) -> str:
    """What the licences of the address databases ask to be shown, in one line."""
    return " · ".join(f"{one.text} ({one.url})" if one.url else one.text for one in told)


def readable(time: datetime) -> str:
    """A time for people, whatever their language and place."""
    return f"{time:%Y-%m-%d %H:%M} UTC"


def _template(one: Recorded) -> Template | None:
    """The mail of an event; a password can be a user's very first credential, or one more.

    Of a new device the policy says whether its user is told; of ends only those are told that nobody asked for.
    """
    match one.event.type:
        case "device.new" if not one.event.told.get("notice"):
            return None
        case "session.ended" if one.event.reason != "LIMIT" or one.event.data.get("on_limit") == "ask_user":
            return None
        case "credential.password_set":
            templates: Mapping[str, Template] = {"changed": "password_changed", "beside": "factor_added"}
            return templates.get(one.event.told.get("as", ""))
    return TOLD.get(one.event.type)


def _user(one: Recorded) -> _User:
    return one.origin.tenant_id, one.event.user_id or ""


def _moved(one: Recorded) -> Sequence[str]:
    """The address that came or went."""
    is_address = one.event.type.startswith("identifier.") and one.event.data.get("kind") == "email"
    return [one.event.told["value"]] if is_address else []
