"""A user's own devices: seen and forgotten."""

from argus.base.origin import Origin
from argus.devices.service import DevicePage, Devices
from argus.flows.self.oneself import Oneself
from argus.flows.terminate import Terminate
from argus.flows.termination import Terminations, TerminationState
from argus.sessions.model import EndReason
from argus.sessions.service import Sessions
from argus.storage.postgres import Transaction


class OwnDevices:
    """The devices of whoever asks. What is somebody else's is not found."""

    def __init__(self, devices: Devices, sessions: Sessions, terminate: Terminate) -> None:
        self._devices = devices
        self._sessions = sessions
        self._terminate = terminate

    async def page(self, oneself: Oneself, *, size: int, page_token: str = "") -> DevicePage:
        """Devices, the newest first.

        Raises:
            PageTokenInvalidError: The token is of another list.
        """
        return await self._devices.page(oneself.tenant_id, oneself.user_id, size=size, page_token=page_token)

    async def current(self, oneself: Oneself) -> str | None:
        """Id of the device that the user acts from; None: it is not known."""
        session = await self._sessions.get(oneself.tenant_id, oneself.user_id, oneself.session_id)
        return session.device_id

    async def forget(self, oneself: Oneself, device_id: str, *, origin: Origin) -> Terminations:
        """Makes a device unknown, and ends the sessions on it but for the one that the user acts from.

        Raises:
            DeviceNotFoundError: The user has no such device.
            RequestAlreadyDoneError: The request was carried out before.
            UnavailableError: A store is away.
        """

        async def forget(tx: Transaction) -> None:
            await self._devices.forget(tx, oneself.tenant_id, oneself.user_id, device_id)

        return await self._terminate.user(
            oneself.tenant_id,
            oneself.user_id,
            reason=EndReason.ENDED_BY_USER,
            keep=oneself.session_id,
            device_id=device_id,
            origin=oneself.origin(origin),
            also=forget,
            claim=f"{oneself.user}/devices/{device_id}",
        )

    async def ends_state(self, oneself: Oneself) -> TerminationState:
        """How far the ends of an earlier request have come."""
        return await self._terminate.reached(oneself.tenant_id, user_id=oneself.user_id)
