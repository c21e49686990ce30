"""A user's own devices: seen, named, trusted and forgotten."""

from datetime import timedelta

from argus.base.origin import Origin
from argus.devices.model import DeviceNotFoundError
from argus.flows.known_devices import KnownDevice, KnownDevicePage, KnownDevices
from argus.flows.self.oneself import Oneself
from argus.flows.termination import Terminations, TerminationState
from argus.sessions.service import Sessions


class OwnDevices:
    """The devices of whoever asks. What is somebody else's is not found."""

    def __init__(self, devices: KnownDevices, sessions: Sessions) -> None:
        self._devices = devices
        self._sessions = sessions

    async def page(self, oneself: Oneself, *, size: int, page_token: str = "") -> KnownDevicePage:
        """Devices, the newest first.

        Raises:
            PageTokenInvalidError: The token is of another list.
        """
        return await self._devices.page(oneself.tenant_id, oneself.user_id, size=size, page_token=page_token)

    async def get(self, oneself: Oneself, name: str) -> KnownDevice:
        """One device, by its name or its id.

        Raises:
            DeviceNotFoundError: The user has no such device.
        """
        return await self._devices.get(oneself.tenant_id, oneself.user_id, _id(oneself, name))

    async def current(self, oneself: Oneself) -> str | None:
        """Id of the device that the user acts from; None: it is not known."""
        session = await self._sessions.get(oneself.tenant_id, oneself.user_id, oneself.session_id)
        return session.device_id

    async def describe(
        self,
        oneself: Oneself,
        name: str,
        *,
        display_name: str | None = None,
        category: str | None = None,
        etag: str = "",
        origin: Origin,
    ) -> KnownDevice:
        """Changes what a device is called, or its group; raises as `KnownDevices.describe` does."""
        return await self._devices.describe(
            oneself.tenant_id,
            oneself.user_id,
            _id(oneself, name),
            display_name=display_name,
            category=category,
            etag=etag,
            origin=oneself.origin(origin),
        )

    async def trust(
        self, oneself: Oneself, device_id: str, *, trusted_for: timedelta | None = None, origin: Origin
    ) -> KnownDevice:
        """Trusts a device for a time, or no longer; raises as `KnownDevices.trust` does."""
        return await self._devices.trust(
            oneself.tenant_id, oneself.user_id, device_id, trusted_for=trusted_for, origin=oneself.origin(origin)
        )

    async def forget(self, oneself: Oneself, device_id: str, *, origin: Origin) -> Terminations:
        """Makes a device unknown, and ends the sessions on it but for the one that the user acts from.

        Raises:
            DeviceNotFoundError: The user has no such device.
            RequestAlreadyDoneError: The request was carried out before.
            UnavailableError: A store is away.
        """
        return await self._devices.forget(
            oneself.tenant_id,
            oneself.user_id,
            device_id,
            keep=oneself.session_id,
            origin=oneself.origin(origin),
        )

    async def ends_state(self, oneself: Oneself) -> TerminationState:
        """How far the ends of an earlier request have come."""
        return await self._devices.ends_state(oneself.tenant_id, oneself.user_id)


def _id(oneself: Oneself, name: str) -> str:
    """The id of the device that a name or an id means."""
    device_id = oneself.own_device(name)
    if device_id is None:
        raise DeviceNotFoundError(name.rpartition("/")[2])
    return device_id
