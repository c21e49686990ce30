"""What can be done with devices."""

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from argus.base.clock import Now
from argus.base.errors import EtagMismatchError, InvalidFieldError, PageTokenInvalidError
from argus.base.events import Event
from argus.base.ids import sha256
from argus.base.pages import decode_page, encode_page
from argus.devices.model import (
    MAX_CATEGORY,
    MAX_DISPLAY_NAME,
    Device,
    DeviceNotFoundError,
    DeviceTrustRefusedError,
    Recognized,
    installation_hash,
)
from argus.devices.store import DeviceStore
from argus.storage.postgres import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class DevicePage:
    """Some devices of a list, and where it goes on; empty: nowhere."""

    devices: Sequence[Device]
    next_page_token: str


class Devices:
    """The devices of all users.

    A device is known again by a key that it proves, else by its token (`<device id>.<secret>`), else by the id of an
    installed client. What it looks like is scored, and identifies nothing.
    """

    def __init__(self, store: DeviceStore, *, secret: bytes, now: Now) -> None:
        """Keeps devices.

        Args:
            store: Where they are.
            secret: Of the installation: what ids of installed clients are hashed with.
            now: The time.
        """
        self._store = store
        self._secret = secret
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

    async def known(
        self,
        tenant_id: str,
        user_id: str,
        *,
        key_sha256: bytes | None = None,
        of_token: Device | None = None,
        installation_id: str = "",
    ) -> Recognized | None:
        """The device that a user is on, by the strongest of what it shows; somebody else's is none.

        Args:
            tenant_id: Tenant.
            user_id: User.
            key_sha256: Key that it has proved.
            of_token: Device whose token it has shown.
            installation_id: Of an installed client; a service says so, and nobody proves it.
        """
        found = await self._store.find_by_key(tenant_id, user_id, key_sha256) if key_sha256 else None
        if found is not None:
            return Recognized(device=found, identity="key")
        if of_token is not None and of_token.user_id == user_id:
            return Recognized(device=of_token, identity="token")
        if not installation_id:
            return None
        found = await self._store.find_by_installation(
            tenant_id, user_id, installation_hash(self._secret, tenant_id, installation_id)
        )
        return Recognized(device=found, identity="installation") if found is not None else None

    async def get(self, tenant_id: str, user_id: str, device_id: str) -> Device:
        """A device of a user.

        Raises:
            DeviceNotFoundError: The user has no such one.
        """
        device = await self._store.get(tenant_id, device_id)
        if device is None or device.user_id != user_id:
            raise DeviceNotFoundError(device_id)
        return device

    async def find(self, tenant_id: str, device_id: str) -> Device | None:
        """The device, or None if it is gone."""
        return await self._store.get(tenant_id, device_id)

    async def find_all(self, tenant_id: str, device_ids: Sequence[str]) -> Mapping[str, Device]:
        """Those of some devices that there are, by their ids."""
        return await self._store.find_all(tenant_id, device_ids) if device_ids else {}

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

    async def remove_user(self, tx: Transaction, tenant_id: str, user_id: str) -> None:
        """Forgets all devices of a user that is deleted, within `tx`."""
        await self._store.delete_of_user(tx, tenant_id, user_id)

    async def describe(
        self,
        tx: Transaction,
        tenant_id: str,
        user_id: str,
        device_id: str,
        *,
        display_name: str | None = None,
        category: str | None = None,
        etag: str = "",
    ) -> Device:
        """Changes what a device is called, or its group, within `tx`; None leaves a field as it is.

        Raises:
            DeviceNotFoundError: The user has no such device.
            EtagMismatchError: It has changed since `etag` was read.
            InvalidFieldError: A text is too long.
        """
        _check_length("device.device.display_name", display_name, MAX_DISPLAY_NAME)
        _check_length("device.device.category", category, MAX_CATEGORY)
        device = await self.hold(tx, tenant_id, user_id, device_id)
        if etag and etag != device.etag:
            raise EtagMismatchError(device.etag)
        changed = replace(
            device,
            display_name=device.display_name if display_name is None else display_name,
            category=device.category if category is None else category,
            revision=device.revision + 1,
        )
        await self._store.describe(tx, changed)
        tx.record(Event(type="device.updated", user_id=user_id, data={"device": device_id}))
        return changed

    async def trust(
        self,
        tx: Transaction,
        tenant_id: str,
        user_id: str,
        device_id: str,
        *,
        trusted_for: timedelta | None,
        longest: timedelta,
    ) -> Device:
        """Trusts a device for a time, or no longer, within `tx`.

        Args:
            tx: Transaction.
            tenant_id: Tenant.
            user_id: User.
            device_id: Device.
            trusted_for: For how long from now on; None: as long as may be; 0: no longer.
            longest: What the policy allows.

        Raises:
            DeviceNotFoundError: The user has no such device.
            DeviceTrustRefusedError: The policy does not allow it.
        """
        asked = longest if trusted_for is None else trusted_for
        if asked > longest or (trusted_for is None and not longest):
            raise DeviceTrustRefusedError(longest)
        device = await self.hold(tx, tenant_id, user_id, device_id)
        now = self._now()
        until = now + asked if asked else None
        since = now if until else None
        changed = replace(device, trust_time=since, trust_expire_time=until, revision=device.revision + 1)
        await self._store.describe(tx, changed)
        data = {"device": device_id} | ({"until": until.isoformat()} if until else {})
        kind = "device.trusted" if until else "device.distrusted"
        tx.record(Event(type=kind, user_id=user_id, data=data))
        return changed

    async def users_with_others(self, tx: Transaction, devices: Sequence[tuple[str, str, str]]) -> set[tuple[str, str]]:
        """Which users of these devices (tenant, user, device) have another one, as `tx` sees it."""
        return await self._store.users_with_others(tx, devices)

    async def hold(self, tx: Transaction, tenant_id: str, user_id: str, device_id: str) -> Device:
        """A device of a user, which stays as it is until `tx` ends.

        Raises:
            DeviceNotFoundError: The user has no such device.
        """
        device = await self._store.lock(tx, tenant_id, user_id, device_id)
        if device is None:
            raise DeviceNotFoundError(device_id)
        return device


def _check_length(field: str, value: str | None, most: int) -> None:
    if value is not None and len(value) > most:
        raise InvalidFieldError(field, f"must have at most {most} characters")


def _token(kind: str, device: Device) -> str:
    return encode_page(kind, (device.create_time.astimezone(UTC).isoformat(), device.device_id))


def _position(kind: str, token: str) -> tuple[datetime, str]:
    key = decode_page(kind, token)
    try:
        time, device_id = key
        return datetime.fromisoformat(time), device_id
    except ValueError:
        raise PageTokenInvalidError from None
