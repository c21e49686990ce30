"""The devices of users, with all that is known of each: what it runs, its state, how far it is behind."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from argus.audit.model import AuditEvent, EventFilter
from argus.audit.service import Audit
from argus.base.clock import Now
from argus.base.ids import device_name
from argus.base.origin import Origin
from argus.base.policy import Policy
from argus.devices.model import Device
from argus.devices.postures.model import Posture, Statement
from argus.devices.service import Devices
from argus.flows.device_changes import DeviceChanges
from argus.flows.device_states import DeviceStates
from argus.flows.terminate import Terminate
from argus.flows.termination import Terminations, TerminationState
from argus.patches.model import PatchLevel
from argus.policies.service import Policies
from argus.sessions.model import EndReason
from argus.sessions.store import SessionStore
from argus.storage.postgres import Database, Transaction
from argus.users.service import Users

# Of a device that was used more often than this the older sessions' events are listed with the user's.
_SESSIONS: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownDevice:
    """A device, and what is known of it now.

    Attributes:
        posture: What of its state is fresh; None: nothing.
        patch_level: How far it is behind.
        data_date: Day that the release data are of, as "2026-08-22".
        trust_expire_time: Its user, or an administrator, trusts it until then, and the policy lets them; None: it is
            not trusted.
    """

    device: Device
    posture: Posture | None
    patch_level: PatchLevel
    data_date: str
    trust_expire_time: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownDevicePage:
    """Some devices of a list, and where it goes on; empty: nowhere."""

    devices: Sequence[KnownDevice]
    next_page_token: str


class KnownDevices:
    """What can be asked and done about users' devices, whoever asks."""

    def __init__(
        self,
        db: Database,
        users: Users,
        devices: Devices,
        states: DeviceStates,
        changes: DeviceChanges,
        policies: Policies,
        sessions: SessionStore,
        audit: Audit,
        terminate: Terminate,
        *,
        now: Now,
    ) -> None:
        self._db = db
        self._users = users
        self._devices = devices
        self._states = states
        self._changes = changes
        self._policies = policies
        self._sessions = sessions
        self._audit = audit
        self._terminate = terminate
        self._now = now

    async def get(self, tenant_id: str, user_id: str, device_id: str) -> KnownDevice:
        """One device.

        Raises:
            DeviceNotFoundError: The user has no such device.
        """
        device = await self._devices.get(tenant_id, user_id, device_id)
        (known,) = await self._known(tenant_id, user_id, [device])
        return known

    async def page(self, tenant_id: str, user_id: str, *, size: int, page_token: str = "") -> KnownDevicePage:
        """Devices of a user, newest first.

        Raises:
            UserNotFoundError: There is no such user.
            PageTokenInvalidError: The token is of another list.
        """
        found = await self._devices.page(tenant_id, user_id, size=size, page_token=page_token)
        known = await self._known(tenant_id, user_id, found.devices)
        return KnownDevicePage(devices=known, next_page_token=found.next_page_token)

    async def describe(
        self,
        tenant_id: str,
        user_id: str,
        device_id: str,
        *,
        display_name: str | None = None,
        category: str | None = None,
        etag: str = "",
        origin: Origin,
    ) -> KnownDevice:
        """Changes what a device is called, or its group; the sessions on it that live are called so, too.

        Raises:
            DeviceNotFoundError: The user has no such device.
            EtagMismatchError: It has changed since `etag` was read.
            InvalidFieldError: A text is too long.
            RequestAlreadyDoneError: The request was carried out before.
        """
        async with self._db.transaction(origin, now=self._now()) as tx:
            await tx.claim(device_name(tenant_id, user_id, device_id))
            changed = await self._devices.describe(
                tx, tenant_id, user_id, device_id, display_name=display_name, category=category, etag=etag
            )
            await self._sessions.describe_device(
                tx,
                tenant_id,
                user_id,
                device_id,
                display_name=changed.display_name or changed.traits.display_name,
                category=changed.category,
            )
        (known,) = await self._known(tenant_id, user_id, [changed])
        return known

    async def trust(
        self, tenant_id: str, user_id: str, device_id: str, *, trusted_for: timedelta | None, origin: Origin
    ) -> KnownDevice:
        """Trusts a device for a time; None: as long as the policy allows; 0: no longer.

        Raises:
            DeviceNotFoundError: The user has no such device.
            DeviceTrustRefusedError: The policy does not allow it.
            RequestAlreadyDoneError: The request was carried out before.
        """
        policy = await self._policy(tenant_id, user_id)
        async with self._db.transaction(origin, now=self._now()) as tx:
            await tx.claim(device_name(tenant_id, user_id, device_id))
            changed = await self._devices.trust(
                tx, tenant_id, user_id, device_id, trusted_for=trusted_for, longest=policy.device_trusted_for
            )
        (known,) = await self._known(tenant_id, user_id, [changed])
        return known

    async def forget(
        self, tenant_id: str, user_id: str, device_id: str, *, keep: str | None = None, origin: Origin
    ) -> Terminations:
        """Makes a device unknown, and ends the sessions on it.

        Args:
            tenant_id: Tenant.
            user_id: User.
            device_id: Device.
            keep: Session that goes on; with it, it is its user who asks.
            origin: On whose behalf.

        Raises:
            DeviceNotFoundError: The user has no such device.
            RequestAlreadyDoneError: The request was carried out before.
            UnavailableError: A store is away.
        """

        async def forget(tx: Transaction) -> None:
            await self._devices.forget(tx, tenant_id, user_id, device_id)

        return await self._terminate.user(
            tenant_id,
            user_id,
            reason=EndReason.ENDED_BY_USER if keep else EndReason.ENDED_BY_ADMIN,
            keep=keep,
            device_id=device_id,
            origin=origin,
            also=forget,
            claim=device_name(tenant_id, user_id, device_id),
        )

    async def ends_state(self, tenant_id: str, user_id: str) -> TerminationState:
        """How far the ends of an earlier request have come."""
        return await self._terminate.reached(tenant_id, user_id=user_id)

    async def events(
        self,
        tenant_id: str,
        user_id: str,
        device_id: str,
        *,
        types: Sequence[str] | None = None,
        size: int,
        page_token: str = "",
    ) -> tuple[Sequence[AuditEvent], str]:
        """What happened to a device and to the sessions on it, newest first.

        Raises:
            DeviceNotFoundError: The user has no such device.
            PageTokenInvalidError: The token is of another list.
        """
        await self._devices.get(tenant_id, user_id, device_id)
        sessions = await self._sessions.on_device(tenant_id, user_id, device_id, limit=_SESSIONS)
        return await self._audit.list_device_events(
            tenant_id,
            user_id,
            device_id,
            sessions,
            matching=EventFilter(types=types),
            page_size=size,
            page_token=page_token,
        )

    async def report(
        self, tenant_id: str, user_id: str, device_id: str, statement: Statement, *, origin: Origin
    ) -> KnownDevice:
        """Takes in what a service has found out about a device.

        Raises:
            DeviceNotFoundError: The user has no such device.
            InvalidFieldError: It is said to be of the future.
            PostureRefusedError: It is too old, or older than what the source has said before.
            RequestAlreadyDoneError: The request was carried out before.
        """
        policy = await self._policy(tenant_id, user_id)
        async with self._db.transaction(origin, now=self._now()) as tx:
            await tx.claim(device_name(tenant_id, user_id, device_id))
            device = await self._devices.hold(tx, tenant_id, user_id, device_id)
            state = await self._states.report(tx, device, statement, policy)
            delivery = await self._changes.reported(tx, (tenant_id, device_id), state)
        await self._changes.deliver(delivery)
        return await self.get(tenant_id, user_id, device_id)

    async def _known(self, tenant_id: str, user_id: str, devices: Sequence[Device]) -> list[KnownDevice]:
        policy = await self._policy(tenant_id, user_id)
        said = await self._states.statements(devices)
        return [self._one(device, policy, said) for device in devices]

    def _one(self, device: Device, policy: Policy, said: Mapping[str, Sequence[Statement]]) -> KnownDevice:
        posture, longest = self._states.posture(said[device.device_id], policy), policy.device_trusted_for
        return KnownDevice(
            device=device,
            posture=posture,
            patch_level=self._states.patch_level(device.traits, posture),
            data_date=self._states.data_date,
            trust_expire_time=device.trusted_until(longest) if device.is_trusted(self._now(), longest) else None,
        )

    async def _policy(self, tenant_id: str, user_id: str) -> Policy:
        user = await self._users.get(tenant_id, user_id)
        return (await self._policies.effective(tenant_id, "", user_id, user.groups)).policy
