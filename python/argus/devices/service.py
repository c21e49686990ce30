"""What can be done with devices."""

import hmac
from dataclasses import replace

from argus.base.clock import Now
from argus.base.events import Event
from argus.base.ids import new_id, new_secret, sha256
from argus.devices.model import Device, DeviceTraits
from argus.devices.store import DeviceStore
from argus.storage.postgres import Transaction


class Devices:
    """The devices of all users. A device proves itself by its token, `<device id>.<secret>`."""

    def __init__(self, store: DeviceStore, *, now: Now) -> None:
        self._store = store
        self._now = now

    async def recognize(self, tenant_id: str, token: str) -> Device | None:
        """The device whose token this is; None for a token that is not good, which is as good as none."""
        device_id, _, secret = token.partition(".")
        if not device_id or not secret:
            return None
        device = await self._store.get(tenant_id, device_id)
        if device is None or not hmac.compare_digest(device.token_sha256, sha256(secret)):
            return None
        return device

    async def find(self, tenant_id: str, device_id: str) -> Device | None:
        """The device, or None if it is gone."""
        return await self._store.get(tenant_id, device_id)

    def new(self, tenant_id: str, user_id: str, traits: DeviceTraits) -> tuple[Device, str]:
        """A device that is not kept yet, and its token."""
        secret = new_secret()
        device = Device(
            tenant_id=tenant_id,
            device_id=new_id(),
            user_id=user_id,
            token_sha256=sha256(secret),
            display_name="",
            category="",
            traits=traits,
            create_time=self._now(),
            last_seen_time=self._now(),
        )
        return device, f"{device.device_id}.{secret}"

    async def keep(self, tx: Transaction, device: Device) -> None:
        """Keeps a new device."""
        await self._store.insert(tx, device)
        tx.record(
            Event(
                type="device.created",
                user_id=device.user_id,
                data={"device": device.device_id, "type": device.traits.type or "unknown"},
            ),
            time=device.create_time,
        )

    async def seen(self, tx: Transaction, device: Device, traits: DeviceTraits) -> None:
        """Notes that a known device was used."""
        await self._store.seen(tx, replace(device, traits=traits), at=self._now())
