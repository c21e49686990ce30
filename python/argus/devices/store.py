"""Devices in PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime

from argus.devices.model import Device, DeviceTraits
from argus.storage.columns import columns
from argus.storage.postgres import Database, Row, Transaction


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
        sql = "DELETE FROM devices WHERE tenant_id = %s AND user_id = %s AND device_id = %s"
        return await tx.execute(sql, (tenant_id, user_id, device_id)) == 1

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
                device.traits.type,
                device.traits.os,
                device.traits.browser,
                device.create_time,
                device.last_seen_time,
            )
            for device in devices
        ]
        await tx.execute(
            """INSERT INTO devices (tenant_id, device_id, user_id, token_sha256, display_name, category, type, os,
                   browser, create_time, last_seen_time)
               SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::bytea[], %s::text[], %s::text[],
                   %s::text[], %s::text[], %s::text[], %s::timestamptz[], %s::timestamptz[])""",
            columns(rows),
        )

    async def lock_all(self, tx: Transaction, keys: Sequence[tuple[str, str]]) -> None:
        """Keeps devices from other changes until the transaction ends; everybody locks them in one order."""
        await tx.execute(
            """SELECT 1 FROM devices d JOIN unnest(%s::text[], %s::text[]) AS w (tenant_id, device_id)
                   USING (tenant_id, device_id)
                ORDER BY d.tenant_id, d.device_id FOR NO KEY UPDATE OF d""",
            columns(keys),
        )

    async def seen_all(self, tx: Transaction, devices: Sequence[Device], *, at: datetime) -> None:
        """Notes the use of locked devices, and what each runs now where that is known; none may be there twice."""
        rows = [(one.tenant_id, one.device_id, one.traits.type, one.traits.os, one.traits.browser) for one in devices]
        await tx.execute(
            """UPDATE devices d SET last_seen_time = GREATEST(d.last_seen_time, %s),
                   type = COALESCE(NULLIF(w.type, ''), d.type), os = COALESCE(NULLIF(w.os, ''), d.os),
                   browser = COALESCE(NULLIF(w.browser, ''), d.browser)
                 FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[])
                      AS w (tenant_id, device_id, type, os, browser)
                WHERE d.tenant_id = w.tenant_id AND d.device_id = w.device_id""",
            (at, *columns(rows)),
        )


def _device(row: Row) -> Device:
    return Device(
        tenant_id=row["tenant_id"],
        device_id=row["device_id"],
        user_id=row["user_id"],
        token_sha256=bytes(row["token_sha256"]),
        display_name=row["display_name"],
        category=row["category"],
        traits=DeviceTraits(type=row["type"], os=row["os"], browser=row["browser"]),
        create_time=row["create_time"],
        last_seen_time=row["last_seen_time"],
    )
