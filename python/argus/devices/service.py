"""What can be done with devices."""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from argus.base.clock import Now
from argus.base.errors import PageTokenInvalidError
from argus.base.events import Event
from argus.base.ids import new_id, new_secret, sha256
from argus.base.origin import Origin
from argus.base.pages import decode_page, encode_page
from argus.devices.model import Device, DeviceNotFoundError, DeviceTraits
from argus.devices.store import DeviceStore
from argus.storage.postgres import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class DevicePage:
    """Some devices of a list, and where it goes on; empty: nowhere."""

    devices: Sequence[Device]
    next_page_token: str


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

    async def page(self, tenant_id: str, user_id: str, *, size: int, page_token: str = "") -> DevicePage:
        """Devices of a user, newest first.

        Raises:
            PageTokenInvalidError: The token is of another list.
        """
        kind = f"devices:{tenant_id}/{user_id}"
        before = _position(kind, page_token) if page_token else None
        found = await self._store.page(tenant_id, user_id, size=size + 1, before=before)
        has_more = len(found) > size
        return DevicePage(devices=found[:size], next_page_token=_token(kind, found[size - 1]) if has_more else "")

    async def forget(self, tx: Transaction, tenant_id: str, user_id: str, device_id: str) -> None:
        """Makes a device unknown, within `tx`: its token is none any more.

        Raises:
            DeviceNotFoundError: The user has no such device.
        """
        if not await self._store.delete(tx, tenant_id, user_id, device_id):
            raise DeviceNotFoundError(device_id)
        tx.record(Event(type="device.forgotten", user_id=user_id, data={"device": device_id}))

    async def users_with_others(self, tx: Transaction, devices: Sequence[tuple[str, str, str]]) -> set[tuple[str, str]]:
        """Which users of these devices (tenant, user, device) have another one, as `tx` sees it."""
        return await self._store.users_with_others(tx, devices)

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

    async def keep_all(self, tx: Transaction, devices: Sequence[tuple[Device, Origin]]) -> None:
        """Keeps new devices, each on somebody's behalf."""
        if not devices:
            return
        await self._store.insert_all(tx, [device for device, _ in devices])
        for device, origin in devices:
            tx.record(
                Event(
                    type="device.created",
                    user_id=device.user_id,
                    data={"device": device.device_id, "type": device.traits.type or "unknown"},
                    told={"device": device.traits.display_name, "type": device.traits.type},
                ),
                time=device.create_time,
                origin=origin,
            )

    async def seen_all(self, tx: Transaction, seen: Sequence[tuple[Device, DeviceTraits]]) -> None:
        """Notes that known devices were used; of several uses of one the last counts."""
        if not seen:
            return
        devices = {(one.tenant_id, one.device_id): replace(one, traits=traits) for one, traits in seen}
        await self._store.lock_all(tx, list(devices))
        await self._store.seen_all(tx, list(devices.values()), at=self._now())


def _token(kind: str, device: Device) -> str:
    return encode_page(kind, (device.create_time.astimezone(UTC).isoformat(), device.device_id))


def _position(kind: str, token: str) -> tuple[datetime, str]:
    key = decode_page(kind, token)
    try:
        time, device_id = key
        return datetime.fromisoformat(time), device_id
    except ValueError:
        raise PageTokenInvalidError from None
