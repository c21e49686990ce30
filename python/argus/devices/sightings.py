"""Sign-ins from devices: the first one, and all that follow."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from argus.base.clock import Now
from argus.base.events import Event
from argus.base.ids import new_id, new_secret, sha256
from argus.base.origin import Origin
from argus.base.place import NOWHERE, Place
from argus.devices.model import Device, DeviceTraits, Identity, installation_hash
from argus.devices.prints import store as prints
from argus.devices.prints.model import CHANGED_BELOW, Print, likeness, print_of
from argus.devices.store import DeviceStore
from argus.storage.postgres import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """A sign-in from a device that is known.

    Attributes:
        identity: By what it was known.
        traits: What it says of itself now.
        place: Where it is.
        key_sha256: The key that is its own from now on; None: the one that it had; empty: none any more.
        is_key_missing: It came without the key that it is known to have.
        origin: On whose behalf.
    """

    device: Device
    identity: Identity
    traits: DeviceTraits
    place: Place
    key_sha256: bytes | None
    is_key_missing: bool
    origin: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """The first sign-in from a device.

    Attributes:
        is_told: Its user is to be told of it, should it have had another one.
    """

    device: Device
    origin: Origin
    is_told: bool = True


class Sightings:
    """What sign-ins say about devices."""

    def __init__(self, store: DeviceStore, *, secret: bytes, now: Now) -> None:
        """Keeps what is seen.

        Args:
            store: Where devices are.
            secret: Of the installation: what fingerprints and ids of installed clients are hashed with.
            now: The time.
        """
        self._store = store
        self._secret = secret
        self._now = now

    def new(
        self,
        tenant_id: str,
        user_id: str,
        traits: DeviceTraits,
        *,
        key_sha256: bytes | None = None,
        place: Place = NOWHERE,
    ) -> tuple[Device, str]:
        """A device that is not kept yet, and its token."""
        secret = new_secret()
        installation_id = traits.installation_id
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
            key_sha256=key_sha256,
            installation_hmac=installation_hash(self._secret, tenant_id, installation_id) if installation_id else None,
            signals=("HINT_MISMATCH",) if traits.contradicts else (),
            place=place,
        )
        return device, f"{device.device_id}.{secret}"

    async def keep_all(self, tx: Transaction, arrivals: Sequence[Arrival]) -> None:
        """Keeps new devices, each on somebody's behalf; says which known one of its user each looks like."""
        if not arrivals:
            return
        shown = {one.device.device_id: self._print(one.device) for one in arrivals}
        known = await self._known_prints(tx, [one.device for one in arrivals if shown[one.device.device_id]])
        await self._store.insert_all(tx, [one.device for one in arrivals])
        await self._keep_prints(tx, [one.device for one in arrivals], shown)
        for one in arrivals:
            device = one.device
            others = known.get((device.tenant_id, device.user_id), {})
            tx.record(
                Event(
                    type="device.created",
                    user_id=device.user_id,
                    data={"device": device.device_id, "type": device.traits.type or "unknown"}
                    | _nearest(shown[device.device_id], others),
                    told={
                        "device": device.traits.display_name,
                        "browser": device.traits.browser,
                        "os": device.traits.os,
                        "type": device.traits.type,
                        "notice": "1" if one.is_told else "",
                        "where": device.place.text,
                    },
                ),
                time=device.create_time,
                origin=one.origin,
            )
            _record_signals(tx, device, device.signals, time=device.create_time, origin=one.origin)

    async def hold_all(self, tx: Transaction, devices: Sequence[Device], *, waits: bool) -> set[tuple[str, str]]:
        """Keeps known devices from other changes until `tx` ends.

        Args:
            tx: The transaction.
            devices: Which ones; those that were forgotten meanwhile are left out.
            waits: For whoever is changing one of them; else those (tenant, device) are the answer.
        """
        keys = {(one.tenant_id, one.device_id): None for one in devices}
        return await self._store.lock_all(tx, list(keys), waits=waits) if keys else set()

    async def seen_all(self, tx: Transaction, uses: Sequence[Use]) -> None:
        """Notes that known devices, which `tx` holds, were used; of several uses of one the last counts."""
        if not uses:
            return
        newest = {(one.device.tenant_id, one.device.device_id): one for one in uses}
        shown = {key[1]: self._print(replace(one.device, traits=one.traits)) for key, one in newest.items()}
        told = [key for key in newest if shown[key[1]]]
        before = await prints.of_devices(tx, told) if told else {}
        devices = []
        for key, use in newest.items():
            score = likeness(before.get(key, {}), shown[key[1]])
            device = self._after(use, looks_changed=score is not None and score < CHANGED_BELOW)
            devices.append(device)
            added = [one for one in device.signals if one not in use.device.signals]
            _record_signals(tx, device, added, time=self._now(), origin=use.origin)
        await self._store.seen_all(tx, devices, at=self._now())
        await self._keep_prints(tx, devices, shown)

    def _after(self, use: Use, *, looks_changed: bool) -> Device:
        """A device as its use leaves it."""
        traits = use.traits
        signals = [
            *(["HINT_MISMATCH"] if traits.contradicts else []),
            *(["DEVICE_KEY_MISSING"] if use.is_key_missing else []),
            *(["FINGERPRINT_CHANGED"] if looks_changed else []),
        ]
        told = traits.installation_id
        return replace(
            use.device,
            traits=traits,
            identity=use.identity,
            signals=tuple(signals),
            place=use.place,
            key_sha256=use.key_sha256,
            installation_hmac=installation_hash(self._secret, use.device.tenant_id, told) if told else None,
        )

    def _print(self, device: Device) -> Print:
        return print_of(self._secret, device.tenant_id, device.traits.fingerprint)

    async def _known_prints(
        self, tx: Transaction, devices: Sequence[Device]
    ) -> Mapping[tuple[str, str], Mapping[str, Print]]:
        users = {(one.tenant_id, one.user_id): None for one in devices}
        return await prints.of_users(tx, list(users)) if users else {}

    async def _keep_prints(self, tx: Transaction, devices: Sequence[Device], shown: Mapping[str, Print]) -> None:
        kept = {(one.tenant_id, one.device_id): shown[one.device_id] for one in devices if shown[one.device_id]}
        if kept:
            await prints.write(tx, kept)


def _nearest(print_: Print, others: Mapping[str, Print]) -> dict[str, str]:
    """Which device a new one looks most like, and how much; nothing where that can't be said."""
    scored = [(score, device_id) for device_id, one in others.items() if (score := likeness(print_, one)) is not None]
    if not scored:
        return {}
    score, device_id = max(scored)
    return {"similar_to": device_id, "similarity": f"{score:.2f}"}


def _record_signals(tx: Transaction, device: Device, signals: Sequence[str], *, time: datetime, origin: Origin) -> None:
    for one in signals:
        event = Event(type="device.signalled", reason=one, user_id=device.user_id, data={"device": device.device_id})
        tx.record(event, time=time, origin=origin)
