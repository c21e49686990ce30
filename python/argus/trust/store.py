"""What trust is made of, in PostgreSQL."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from argus.storage.columns import columns
from argus.storage.postgres import Database, Row, Transaction
from argus.trust.model import DeviceTrust, Key, blank
from argus.trust.state import DeviceState

# Lists travel as JSON: PostgreSQL would unfold a list of lists to its innermost parts.
_PUT: Final = """
    INSERT INTO device_trust (tenant_id, device_id, passed, failed, counted_time, places, key_kind, key_print,
           key_client_id, key_uses, key_missing, last_used_time, integrity_bad, integrity_until, end_of_life,
           patch_days, patch_until, own_end_of_life, own_patch_days, score, rate_time)
    SELECT tenant_id, device_id, passed, failed, counted_time,
           ARRAY(SELECT jsonb_array_elements_text(places::jsonb)), key_kind, key_print, key_client_id, key_uses,
           key_missing, last_used_time, integrity_bad, integrity_until, end_of_life, patch_days, patch_until,
           own_end_of_life, own_patch_days, score, counted_time
      FROM unnest(%s::text[], %s::text[], %s::double precision[], %s::double precision[], %s::timestamptz[],
                  %s::text[], %s::text[], %s::bytea[], %s::text[], %s::integer[], %s::boolean[], %s::timestamptz[],
                  %s::boolean[], %s::timestamptz[], %s::boolean[], %s::integer[], %s::timestamptz[], %s::boolean[],
                  %s::integer[], %s::double precision[])
           AS w (tenant_id, device_id, passed, failed, counted_time, places, key_kind, key_print, key_client_id,
                 key_uses, key_missing, last_used_time, integrity_bad, integrity_until, end_of_life, patch_days,
                 patch_until, own_end_of_life, own_patch_days, score)
        ON CONFLICT (tenant_id, device_id) DO UPDATE
       SET passed = EXCLUDED.passed, failed = EXCLUDED.failed, counted_time = EXCLUDED.counted_time,
           places = EXCLUDED.places, key_kind = EXCLUDED.key_kind, key_print = EXCLUDED.key_print,
           key_client_id = EXCLUDED.key_client_id, key_uses = EXCLUDED.key_uses, key_missing = EXCLUDED.key_missing,
           last_used_time = EXCLUDED.last_used_time, integrity_bad = EXCLUDED.integrity_bad,
           integrity_until = EXCLUDED.integrity_until, end_of_life = EXCLUDED.end_of_life,
           patch_days = EXCLUDED.patch_days, patch_until = EXCLUDED.patch_until,
           own_end_of_life = EXCLUDED.own_end_of_life, own_patch_days = EXCLUDED.own_patch_days,
           score = EXCLUDED.score, rate_time = EXCLUDED.rate_time"""


_KNOWN: Final = """
    SELECT d.tenant_id AS tenant, d.device_id AS device, t.*
      FROM devices d JOIN unnest(%s::text[], %s::text[]) AS w (tenant_id, device_id)
           ON d.tenant_id = w.tenant_id AND d.device_id = w.device_id
      LEFT JOIN device_trust t ON t.tenant_id = d.tenant_id AND t.device_id = d.device_id"""


class TrustStore:
    """Rows of the table `device_trust`."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def get(self, tenant_id: str, device_id: str) -> DeviceTrust | None:
        """What is known of a device, or None."""
        row = await self._db.fetch_one(
            "SELECT * FROM device_trust WHERE tenant_id = %s AND device_id = %s", (tenant_id, device_id)
        )
        return _trust(row) if row else None

    async def lock_all(self, tx: Transaction, keys: Sequence[Key], *, now: datetime) -> Mapping[Key, DeviceTrust]:
        """What is known of those devices that there are; nobody else changes it until the transaction ends.

        It is the device's row that is locked, which is there before there is anything to know; all lock in one order.
        """
        return _by_key(await tx.fetch_all(_KNOWN + " ORDER BY 1, 2 FOR NO KEY UPDATE OF d", columns(keys)), now)

    async def of_held(self, tx: Transaction, keys: Sequence[Key], *, now: datetime) -> Mapping[Key, DeviceTrust]:
        """The same of devices that the transaction holds already."""
        return _by_key(await tx.fetch_all(_KNOWN, columns(keys)), now)

    async def put_all(self, tx: Transaction, known: Sequence[DeviceTrust], *, now: datetime) -> None:
        """Keeps what is known of devices, none of them twice."""
        await tx.execute(_PUT, columns([_row(one, now) for one in known]))


def _by_key(rows: Sequence[Row], now: datetime) -> Mapping[Key, DeviceTrust]:
    """What is known of each device; of one that has no row yet, nothing."""
    found = {(row["tenant"], row["device"]): row for row in rows}
    return {key: _trust(row) if row["device_id"] else blank(key, now) for key, row in found.items()}


def _row(known: DeviceTrust, now: datetime) -> tuple[Any, ...]:
    return (
        known.tenant_id,
        known.device_id,
        known.passed,
        known.failed,
        known.counted_time,
        json.dumps(known.places),
        known.key_kind,
        known.key_print,
        known.key_client_id,
        known.key_uses,
        known.is_key_missing,
        known.last_used_time,
        known.state.integrity_bad,
        known.state.integrity_until,
        known.state.end_of_life,
        known.state.patch_days,
        known.state.patch_until,
        known.state.own_end_of_life,
        known.state.own_patch_days,
        known.rating(now=now).score,
    )


def _trust(row: Row) -> DeviceTrust:
    return DeviceTrust(
        tenant_id=row["tenant_id"],
        device_id=row["device_id"],
        passed=row["passed"],
        failed=row["failed"],
        counted_time=row["counted_time"],
        places=tuple(row["places"]),
        key_kind=row["key_kind"],
        key_print=bytes(row["key_print"]) if row["key_print"] is not None else None,
        key_client_id=row["key_client_id"],
        key_uses=row["key_uses"],
        is_key_missing=row["key_missing"],
        last_used_time=row["last_used_time"],
        state=DeviceState(
            integrity_bad=row["integrity_bad"],
            integrity_until=row["integrity_until"],
            end_of_life=row["end_of_life"],
            patch_days=row["patch_days"],
            patch_until=row["patch_until"],
            own_end_of_life=row["own_end_of_life"],
            own_patch_days=row["own_patch_days"],
        ),
    )
