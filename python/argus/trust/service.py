"""What can be done with trust in devices."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from argus.storage.postgres import Transaction
from argus.trust.model import DeviceTrust, Key, SignedIn, blank
from argus.trust.state import DeviceState
from argus.trust.store import TrustStore


class Trust:
    """Trust in the devices of all users. What it is made of changes with what happens on them, in its transaction."""

    def __init__(self, store: TrustStore) -> None:
        self._store = store

    async def of_device(self, tenant_id: str, device_id: str | None, *, now: datetime) -> DeviceTrust:
        """What is known of a device; None: one that nothing is known of."""
        known = await self._store.get(tenant_id, device_id) if device_id else None
        return known or blank((tenant_id, device_id or ""), now)

    async def signed_in_all(
        self, tx: Transaction, logins: Sequence[tuple[Key, SignedIn]], *, now: datetime
    ) -> Mapping[Key, DeviceTrust]:
        """What passed logins make of the devices that they came from, which `tx` holds; kept by `keep_all`."""
        keys = sorted({key for key, login in logins if login.is_known})
        known = dict(await self._store.of_held(tx, keys, now=now)) if keys else {}
        for key, login in logins:
            # A known device that was forgotten meanwhile is none that anything could be kept of.
            if key in known or not login.is_known:
                known[key] = known.get(key, blank(key, now)).signed_in(login, now=now)
        return known

    async def keep_all(self, tx: Transaction, known: Sequence[DeviceTrust], *, now: datetime) -> None:
        """Keeps what became of devices."""
        if known:
            await self._store.put_all(tx, known, now=now)

    async def proved(self, tx: Transaction, key: Key, *, now: datetime) -> DeviceTrust:
        """Counts a passed step-up of a session on a device."""
        found = await self._store.lock_all(tx, [key], now=now)
        return await self._kept(tx, [one.proved(now=now) for one in found.values()], key, now)

    async def refused(self, tx: Transaction, key: Key, *, now: datetime) -> DeviceTrust:
        """Counts a failed login or step-up on a device."""
        found = await self._store.lock_all(tx, [key], now=now)
        return await self._kept(tx, [one.refused(now=now) for one in found.values()], key, now)

    async def reported(
        self,
        tx: Transaction,
        key: Key,
        *,
        state: DeviceState,
        now: datetime,
    ) -> DeviceTrust:
        """Keeps what is reported of a device's state."""
        found = await self._store.lock_all(tx, [key], now=now)
        return await self._kept(tx, [replace(one, state=state) for one in found.values()], key, now)

    async def _kept(self, tx: Transaction, changed: Sequence[DeviceTrust], key: Key, now: datetime) -> DeviceTrust:
        """What a device has become; one that was forgotten is one that nothing is known of."""
        await self.keep_all(tx, changed, now=now)
        return changed[0] if changed else blank(key, now)
