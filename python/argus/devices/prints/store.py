"""Prints in PostgreSQL."""

from collections.abc import Mapping, Sequence
from typing import Final

from argus.devices.prints.model import Print
from argus.storage.columns import columns
from argus.storage.postgres import Transaction

MOST_COMPARED: Final = 16
"""Devices of a user that a new one is compared with: those that were used last."""


async def of_users(tx: Transaction, users: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], Mapping[str, Print]]:
    """The prints of the devices that these users (tenant, user) used last, by user and device."""
    rows = await tx.fetch_all(
        """SELECT w.tenant_id, w.user_id, p.device_id, p.component, p.digest
             FROM unnest(%s::text[], %s::text[]) AS w (tenant_id, user_id)
             CROSS JOIN LATERAL (SELECT d.device_id FROM devices d
                                  WHERE d.tenant_id = w.tenant_id AND d.user_id = w.user_id
                                  ORDER BY d.create_time DESC, d.device_id DESC LIMIT %s) AS d
             JOIN device_prints p ON p.tenant_id = w.tenant_id AND p.device_id = d.device_id""",
        (*columns(users), MOST_COMPARED),
    )
    found: dict[tuple[str, str], dict[str, dict[str, bytes]]] = {}
    for row in rows:
        devices = found.setdefault((row["tenant_id"], row["user_id"]), {})
        devices.setdefault(row["device_id"], {})[row["component"]] = bytes(row["digest"])
    return found


async def of_devices(tx: Transaction, devices: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], Print]:
    """The prints of devices (tenant, device)."""
    rows = await tx.fetch_all(
        """SELECT p.* FROM device_prints p JOIN unnest(%s::text[], %s::text[]) AS w (tenant_id, device_id)
               USING (tenant_id, device_id)""",
        columns(devices),
    )
    found: dict[tuple[str, str], dict[str, bytes]] = {}
    for row in rows:
        found.setdefault((row["tenant_id"], row["device_id"]), {})[row["component"]] = bytes(row["digest"])
    return found


async def write(tx: Transaction, prints: Mapping[tuple[str, str], Print]) -> None:
    """Keeps the newest print of each device (tenant, device), component by component, in one order."""
    rows = sorted((*device, name, digest) for device, print_ in prints.items() for name, digest in print_.items())
    await tx.execute(
        """INSERT INTO device_prints (tenant_id, device_id, component, digest)
           SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::bytea[])
           ON CONFLICT (tenant_id, device_id, component) DO UPDATE SET digest = excluded.digest""",
        columns(rows),
    )
