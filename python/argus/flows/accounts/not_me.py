"""Undoes a sign-in on a new device that was somebody else's: what the link of the new-device mail is for.

Whoever was there knows the password: it is refused until a new one is set, by a link that the next mail brings.
"""

from contextlib import suppress
from dataclasses import dataclass

from argus.accounts.service import Links
from argus.base.clock import Now
from argus.base.events import Event
from argus.base.origin import Origin
from argus.credentials.service import Passwords
from argus.devices.model import DeviceNotFoundError
from argus.devices.service import Devices
from argus.flows.terminate import Terminate
from argus.flows.termination import Terminations
from argus.sessions.model import EndReason
from argus.storage.postgres import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """What was done about a device that is somebody else's.

    Attributes:
        ends: How many sessions were ended, and how far that has come.
        password_closed: There was a password, which has to be replaced.
    """

    ends: Terminations
    password_closed: bool


class NotMe:
    """The second half of a new-device notice; the first one is the mail (`flows.accounts.notices`)."""

    def __init__(self, links: Links, devices: Devices, passwords: Passwords, terminate: Terminate, *, now: Now) -> None:
        self._links = links
        self._devices = devices
        self._passwords = passwords
        self._terminate = terminate
        self._now = now

    async def complete(self, tenant_id: str, token: str, *, origin: Origin) -> Reported:
        """Ends the sessions on the device, forgets it, and closes the password.

        Raises:
            LinkInvalidError: The token is not that of a good new-device mail.
            UserNotFoundError: The user was deleted since.
            UnavailableError: A store is away; the token stays good.
        """
        link = await self._links.open(tenant_id, token, "not_me", origin=origin)
        user_id, device_id = link.user_id, link.subject
        device = await self._devices.find(tenant_id, device_id)
        told = {"name": device.display_name or device.traits.display_name} if device else {}
        closed: list[bool] = []

        async def undo(tx: Transaction) -> None:
            await self._links.spend(tx, link)
            closed.append(await self._passwords.close_for_all(tx, tenant_id, user_id))
            with suppress(DeviceNotFoundError):  # it was forgotten before; its sessions may have stayed
                await self._devices.forget(tx, tenant_id, user_id, device_id)
            facts = {"device": device_id, "password_closed": str(closed[0]).lower()}
            tx.record(Event(type="device.reported", user_id=user_id, data=facts, told=told), time=self._now())

        ends = await self._terminate.user(
            tenant_id, user_id, reason=EndReason.ENDED_BY_USER, device_id=device_id, origin=origin, also=undo
        )
        return Reported(ends=ends, password_closed=closed[0])
