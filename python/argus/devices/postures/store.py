"""Postures in PostgreSQL."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from argus.devices.postures.model import Source, Statement
from argus.storage.columns import columns
from argus.storage.postgres import Database, Row, Transaction


async def of_devices(
    reader: Database | Transaction, devices: Sequence[tuple[str, str]]
) -> Mapping[tuple[str, str], list[Statement]]:
    """The newest statements about devices (tenant, device)."""
    rows = await reader.fetch_all(
        """SELECT p.* FROM device_postures p JOIN unnest(%s::text[], %s::text[]) AS w (tenant_id, device_id)
               USING (tenant_id, device_id)""",
        columns(devices),
    )
    found: dict[tuple[str, str], list[Statement]] = {}
    for row in rows:
        found.setdefault((row["tenant_id"], row["device_id"]), []).append(_statement(row))
    return found


async def known_time(tx: Transaction, tenant_id: str, device_id: str, source: Source) -> datetime | None:
    """When the newest statement of a source was measured; None: it has said nothing yet."""
    row = await tx.fetch_one(
        "SELECT measured_time FROM device_postures WHERE tenant_id = %s AND device_id = %s AND source = %s FOR UPDATE",
        (tenant_id, device_id, source),
    )
    return None if row is None else row["measured_time"]


async def write(tx: Transaction, tenant_id: str, device_id: str, one: Statement) -> None:
    """Puts a statement in the place of what the source has said before."""
    await tx.execute(
        """INSERT INTO device_postures (tenant_id, device_id, source, integrity, disk_encrypted, screen_lock, os,
               os_version, patch_version, measured_time, reporter)
           VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
           ON CONFLICT (tenant_id, device_id, source) DO UPDATE SET
               integrity = excluded.integrity, disk_encrypted = excluded.disk_encrypted,
               screen_lock = excluded.screen_lock, os = excluded.os, os_version = excluded.os_version,
               patch_version = excluded.patch_version, measured_time = excluded.measured_time,
               reporter = excluded.reporter""",
        (
            tenant_id,
            device_id,
            one.source,
            one.integrity,
            one.disk_encrypted,
            one.screen_lock,
            one.os,
            one.os_version,
            one.patch_version,
            one.measured_time,
            one.reporter,
        ),
    )


def _statement(row: Row) -> Statement:
    return Statement(
        source=row["source"],
        integrity=row["integrity"],
        disk_encrypted=row["disk_encrypted"],
        screen_lock=row["screen_lock"],
        os=row["os"],
        os_version=row["os_version"],
        patch_version=row["patch_version"],
        measured_time=row["measured_time"],
        reporter=row["reporter"],
    )
