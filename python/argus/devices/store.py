"""Devices in PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from argus.base.place import Place
from argus.devices.model import Device, DeviceTraits
from argus.storage.columns import columns
from argus.storage.postgres import Database, Row, Transaction

_OF_USER: Final = "tenant_id = %s AND user_id = %s AND device_id = %s"


class DeviceStore:
    """Rows of the table `devices`."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def get(self, tenant_id: str, device_id: str) -> Device | None:
        """The device, or None."""
        row = await self._db.fetch_one(
            "SELECT * FROM devices WHERE tenant_id = %s AND device_id = %s", (tenant_id, device_id)
        )
        return _device(row) if row else None

    async def find_all(self, tenant_id: str, device_ids: Sequence[str]) -> dict[str, Device]:
        """Those of some devices that there are, by their ids."""
        rows = await self._db.fetch_all(
            "SELECT * FROM devices WHERE tenant_id = %s AND device_id = ANY(%s)", (tenant_id, list(device_ids))
        )
        return {row["device_id"]: _device(row) for row in rows}

    async def find_by_key(self, tenant_id: str, user_id: str, key_sha256: bytes) -> Device | None:
        """The device of a user that has proved a key; of several the one that was used last."""
        row = await self._db.fetch_one(
            """SELECT * FROM devices WHERE tenant_id = %s AND user_id = %s AND key_sha256 = %s
                ORDER BY last_seen_time DESC, device_id DESC LIMIT 1""",
            (tenant_id, user_id, key_sha256),
        )
        return _device(row) if row else None

    async def find_by_installation(self, tenant_id: str, user_id: str, installation_hmac: bytes) -> Device | None:
        """The device of a user that an installed client is on; of several the one that was used last."""
        row = await self._db.fetch_one(
            """SELECT * FROM devices WHERE tenant_id = %s AND user_id = %s AND installation_hmac = %s
                ORDER BY last_seen_time DESC, device_id DESC LIMIT 1""",
            (tenant_id, user_id, installation_hmac),
        )
        return _device(row) if row else None

    async def page(
        self, tenant_id: str, user_id: str, *, size: int, before: tuple[datetime, str] | None
    ) -> list[Device]:
        """Devices of a user, newest first, that come after the position `before`."""
        following = "" if before is None else "AND (create_time, device_id) < (%s, %s)"
        rows = await self._db.fetch_page(
            f"""SELECT * FROM devices WHERE tenant_id = %s AND user_id = %s {following}
                 ORDER BY create_time DESC, device_id DESC LIMIT %s""",
            (tenant_id, user_id, *(before or ()), size),
        )
        return [_device(row) for row in rows]

    async def delete(self, tx: Transaction, tenant_id: str, user_id: str, device_id: str) -> bool:
        """Removes a device; False if the user has no such one."""
        return await tx.execute(f"DELETE FROM devices WHERE {_OF_USER}", (tenant_id, user_id, device_id)) == 1

    async def delete_of_user(self, tx: Transaction, tenant_id: str, user_id: str) -> None:
        """Removes all devices of a user, with whatever is known of them."""
        await tx.execute(
            """DELETE FROM devices WHERE (tenant_id, device_id) IN (
                   SELECT tenant_id, device_id FROM devices WHERE tenant_id = %s AND user_id = %s
                    ORDER BY tenant_id, device_id FOR UPDATE)""",
            (tenant_id, user_id),
        )

    async def lock(self, tx: Transaction, tenant_id: str, user_id: str, device_id: str) -> Device | None:
        """A device of a user, which nobody else can change until the transaction ends."""
        row = await tx.fetch_one(
            f"SELECT * FROM devices WHERE {_OF_USER} FOR NO KEY UPDATE", (tenant_id, user_id, device_id)
        )
        return _device(row) if row else None

    async def describe(self, tx: Transaction, device: Device) -> None:
        """Writes what a locked device is called, its group, since when and until when it is trusted."""
        await tx.execute(
            f"""UPDATE devices SET display_name = %s, category = %s, trust_time = %s, trust_expire_time = %s,
                       revision = revision + 1
                 WHERE {_OF_USER}""",
            (
                device.display_name,
                device.category,
                device.trust_time,
                device.trust_expire_time,
                device.tenant_id,
                device.user_id,
                device.device_id,
            ),
        )

    async def users_with_others(self, tx: Transaction, devices: Sequence[tuple[str, str, str]]) -> set[tuple[str, str]]:
        """Which users of these devices (tenant, user, device) have another one."""
        rows = await tx.fetch_all(
            """SELECT w.tenant_id, w.user_id FROM unnest(%s::text[], %s::text[], %s::text[])
                      AS w (tenant_id, user_id, device_id)
                WHERE EXISTS (SELECT 1 FROM devices d WHERE d.tenant_id = w.tenant_id AND d.user_id = w.user_id
                                 AND d.device_id <> w.device_id)""",
            columns(devices),
        )
        return {(row["tenant_id"], row["user_id"]) for row in rows}

    async def insert_all(self, tx: Transaction, devices: Sequence[Device]) -> None:
        """Adds devices."""
        rows = [
            (
                device.tenant_id,
                device.device_id,
                device.user_id,
                device.token_sha256,
                device.display_name,
                device.category,
                device.create_time,
                device.last_seen_time,
                *_seen(device),
            )
            for device in devices
        ]
        await tx.execute(
            """INSERT INTO devices (tenant_id, device_id, user_id, token_sha256, display_name, category, create_time,
                   last_seen_time, type, os, os_version, browser, browser_version, app, key_sha256, installation_hmac,
                   identity, signals, country, city, radius_km, asn, asn_name, network_class)
               SELECT tenant_id, device_id, user_id, token_sha256, display_name, category, create_time,
                   last_seen_time, type, os, os_version, browser, browser_version, app, key_sha256, installation_hmac,
                   identity, string_to_array(signals, ' '), country, city, radius_km, asn, asn_name, network_class
                 FROM unnest(%s::text[], %s::text[], %s::text[], %s::bytea[], %s::text[], %s::text[],
                   %s::timestamptz[], %s::timestamptz[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[],
                   %s::text[], %s::bytea[], %s::bytea[], %s::text[], %s::text[], %s::text[], %s::text[], %s::integer[],
                   %s::bigint[], %s::text[], %s::text[])
                   AS w (tenant_id, device_id, user_id, token_sha256, display_name, category, create_time,
                   last_seen_time, type, os, os_version, browser, browser_version, app, key_sha256, installation_hmac,
                   identity, signals, country, city, radius_km, asn, asn_name, network_class)""",
            columns(rows),
        )

    async def lock_all(self, tx: Transaction, keys: Sequence[tuple[str, str]], *, waits: bool) -> set[tuple[str, str]]:
        """Keeps devices (tenant, device) from other changes until the transaction ends.

        Args:
            tx: The transaction.
            keys: Of the devices; those that are gone are left out.
            waits: For whoever is changing one of them; else those are the answer.
        """
        skip = "" if waits else "SKIP LOCKED"
        rows = await tx.fetch_all(
            f"""WITH wanted AS (
                    SELECT d.tenant_id, d.device_id FROM devices d
                      JOIN unnest(%s::text[], %s::text[]) AS w (tenant_id, device_id) USING (tenant_id, device_id)),
                locked AS (
                    SELECT d.tenant_id, d.device_id FROM devices d JOIN wanted USING (tenant_id, device_id)
                     ORDER BY d.tenant_id, d.device_id FOR NO KEY UPDATE OF d {skip})
                SELECT tenant_id, device_id FROM wanted EXCEPT SELECT tenant_id, device_id FROM locked""",
            columns(keys),
        )
        return set() if waits else {(row["tenant_id"], row["device_id"]) for row in rows}

    async def seen_all(self, tx: Transaction, devices: Sequence[Device], *, at: datetime) -> None:
        """Notes the use of locked devices, and what each runs now where that is known; none may be there twice.

        A version that is not told any more is not known any more, and neither is a place; a key that is empty is taken
        from it.
        """
        rows = [(one.tenant_id, one.device_id, *_seen(one)) for one in devices]
        await tx.execute(
            """UPDATE devices d SET last_seen_time = GREATEST(d.last_seen_time, %s),
                   type = COALESCE(NULLIF(w.type, ''), d.type), os = COALESCE(NULLIF(w.os, ''), d.os),
                   os_version = CASE WHEN w.os = '' THEN d.os_version ELSE w.os_version END,
                   browser = COALESCE(NULLIF(w.browser, ''), d.browser),
                   browser_version = CASE WHEN w.browser = '' THEN d.browser_version ELSE w.browser_version END,
                   app = COALESCE(NULLIF(w.app, ''), d.app),
                   key_sha256 = NULLIF(COALESCE(w.key_sha256, d.key_sha256), ''::bytea),
                   installation_hmac = COALESCE(w.installation_hmac, d.installation_hmac),
                   identity = w.identity, signals = string_to_array(w.signals, ' '),
                   country = w.country, city = w.city, radius_km = w.radius_km, asn = w.asn, asn_name = w.asn_name,
                   network_class = w.network_class
                 FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[],
                      %s::text[], %s::bytea[], %s::bytea[], %s::text[], %s::text[], %s::text[], %s::text[],
                      %s::integer[], %s::bigint[], %s::text[], %s::text[])
                      AS w (tenant_id, device_id, type, os, os_version, browser, browser_version, app, key_sha256,
                      installation_hmac, identity, signals, country, city, radius_km, asn, asn_name, network_class)
                WHERE d.tenant_id = w.tenant_id AND d.device_id = w.device_id""",
            (at, *columns(rows)),
        )


def _seen(device: Device) -> tuple[object, ...]:
    """What a sign-in says of a device; the signals as one text."""
    traits, place = device.traits, device.place
    return (
        traits.type,
        traits.os,
        traits.os_version,
        traits.browser,
        traits.browser_version,
        traits.app,
        device.key_sha256,
        device.installation_hmac,
        device.identity,
        " ".join(device.signals),
        place.country,
        place.city,
        place.radius_km,
        place.asn,
        place.asn_name,
        place.network_class,
    )


def _device(row: Row) -> Device:
    return Device(
        tenant_id=row["tenant_id"],
        device_id=row["device_id"],
        user_id=row["user_id"],
        token_sha256=bytes(row["token_sha256"]),
        display_name=row["display_name"],
        category=row["category"],
        traits=DeviceTraits(
            type=row["type"],
            os=row["os"],
            os_version=row["os_version"],
            browser=row["browser"],
            browser_version=row["browser_version"],
            app=row["app"],
        ),
        create_time=row["create_time"],
        last_seen_time=row["last_seen_time"],
        key_sha256=_bytes(row["key_sha256"]),
        installation_hmac=_bytes(row["installation_hmac"]),
        identity=row["identity"],
        signals=tuple(row["signals"]),
        trust_time=row["trust_time"],
        trust_expire_time=row["trust_expire_time"],
        place=Place(
            country=row["country"],
            city=row["city"],
            radius_km=row["radius_km"],
            asn=row["asn"],
            asn_name=row["asn_name"],
            network_class=row["network_class"],
        ),
        revision=row["revision"],
    )


def _bytes(value: bytes | memoryview | None) -> bytes | None:
    return None if value is None else bytes(value)
