"""Devices in PostgreSQL."""

from datetime import datetime

from argus.devices.model import Device, DeviceTraits
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

    async def insert(self, tx: Transaction, device: Device) -> None:
        """Adds a device."""
        await tx.execute(
            """INSERT INTO devices (tenant_id, device_id, user_id, token_sha256, display_name, category, type, os,
                   browser, create_time, last_seen_time)
               VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)""",
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
            ),
        )

    async def seen(self, tx: Transaction, device: Device, *, at: datetime) -> None:
        """Notes the use of a device, and what it runs now where that is known."""
        await tx.execute(
            """UPDATE devices SET last_seen_time = GREATEST(last_seen_time, %s), type = COALESCE(NULLIF(%s, ''), type),
                   os = COALESCE(NULLIF(%s, ''), os), browser = COALESCE(NULLIF(%s, ''), browser)
                WHERE tenant_id = %s AND device_id = %s""",
            (at, device.traits.type, device.traits.os, device.traits.browser, device.tenant_id, device.device_id),
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
