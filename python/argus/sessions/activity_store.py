"""Activity and generation bounds in PostgreSQL, written in batches."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from argus.base.place import Place
from argus.storage.postgres import Transaction


@dataclass(slots=True, kw_only=True)
class Activity:
    """What has become known about one session since the last batch; all but the idle deadline only ever rises.

    Attributes:
        family: Refresh family that `generation` is of; 0 = no bound.
        generation: At least so many generations were made.
        generation_time: When the newest of them was made.
        last_active_time: Newest use.
        idle_deadline: Idle deadline that follows from it.
    """

    tenant_id: str
    session_id: str
    family: int = 0
    generation: int = 0
    generation_time: datetime | None = None
    last_active_time: datetime | None = None
    idle_deadline: datetime | None = None

    def add_bound(self, family: int, generation: int, time: datetime) -> None:
        """Takes a bound in; the newest family counts, and in it the highest generation."""
        if (family, generation) > (self.family, self.generation):
            self.family, self.generation, self.generation_time = family, generation, time

    def add_use(self, last_active_time: datetime, idle_deadline: datetime) -> None:
        """Takes a use in: the deadline is that of the newest, which a shortened policy may have brought nearer."""
        if self.last_active_time is None or self.idle_deadline is None or last_active_time >= self.last_active_time:
            self.last_active_time, self.idle_deadline = last_active_time, idle_deadline
        else:
            self.idle_deadline = max(idle_deadline, self.idle_deadline)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """Where a session was seen."""

    tenant_id: str
    session_id: str
    ip_address: str
    place: Place


async def write_places(tx: Transaction, batch: Collection[Sighting]) -> None:
    """Notes where living sessions were seen; one whose address has not changed is left as it is."""
    ordered = sorted(batch, key=lambda one: (one.tenant_id, one.session_id))
    places = [one.place for one in ordered]
    await tx.execute(
        """WITH news AS (
               SELECT * FROM unnest(%s::text[], %s::text[], %s::inet[], %s::text[], %s::text[], %s::integer[],
                                    %s::bigint[], %s::text[], %s::text[])
                      AS n (tenant_id, session_id, ip_address, country, city, radius_km, asn, asn_name,
                            network_class)),
           moved AS (
               SELECT s.tenant_id, s.session_id FROM sessions s
                 JOIN news n ON n.tenant_id = s.tenant_id AND n.session_id = s.session_id
                WHERE s.state <> 'ended' AND s.seen_ip_address IS DISTINCT FROM n.ip_address
                ORDER BY s.tenant_id, s.session_id FOR UPDATE OF s)
           UPDATE sessions s SET seen_ip_address = n.ip_address, country = n.country, city = n.city,
               radius_km = n.radius_km, asn = n.asn, asn_name = n.asn_name, network_class = n.network_class
             FROM moved m
             JOIN news n ON n.tenant_id = m.tenant_id AND n.session_id = m.session_id
            WHERE s.tenant_id = m.tenant_id AND s.session_id = m.session_id""",
        (
            [one.tenant_id for one in ordered],
            [one.session_id for one in ordered],
            [one.ip_address for one in ordered],
            [one.country for one in places],
            [one.city for one in places],
            [one.radius_km for one in places],
            [one.asn for one in places],
            [one.asn_name for one in places],
            [one.network_class for one in places],
        ),
    )


async def write_activity(tx: Transaction, batch: Collection[Activity]) -> None:
    """Brings the living sessions of all tenants up to `batch`. A bound of another family than the row's is left out.

    The idle deadline is that of the newest use, which a shortened policy may have brought nearer; a use that is told of
    late only extends it.
    """
    ordered = sorted(batch, key=lambda one: (one.tenant_id, one.session_id))
    await tx.execute(
        """WITH news AS (
               SELECT * FROM unnest(%s::text[], %s::text[], %s::bigint[], %s::bigint[], %s::timestamptz[],
                                    %s::timestamptz[], %s::timestamptz[])
                      AS n (tenant_id, session_id, family, generation, generation_time, last_active, idle_deadline)),
           locked AS (
               SELECT s.tenant_id, s.session_id FROM sessions s
                 JOIN news n ON n.tenant_id = s.tenant_id AND n.session_id = s.session_id
                WHERE s.state <> 'ended' ORDER BY s.tenant_id, s.session_id FOR UPDATE OF s)
           UPDATE sessions s SET
               generation_bound = CASE WHEN n.family = s.family
                   THEN GREATEST(s.generation_bound, n.generation) ELSE s.generation_bound END,
               generation_bound_time = CASE WHEN n.family = s.family AND n.generation > s.generation_bound
                   THEN n.generation_time ELSE s.generation_bound_time END,
               generation_bound_rotated = s.generation_bound_rotated
                   OR (n.family = s.family AND n.generation > s.generation_bound),
               last_active_time = GREATEST(s.last_active_time, n.last_active),
               idle_deadline = LEAST(
                   CASE WHEN n.last_active >= date_trunc('second', s.last_active_time) THEN n.idle_deadline
                        ELSE GREATEST(s.idle_deadline, n.idle_deadline) END, s.absolute_deadline)
             FROM locked l
             JOIN news n ON n.tenant_id = l.tenant_id AND n.session_id = l.session_id
            WHERE s.tenant_id = l.tenant_id AND s.session_id = l.session_id""",
        (
            [one.tenant_id for one in ordered],
            [one.session_id for one in ordered],
            [one.family for one in ordered],
            [one.generation for one in ordered],
            [one.generation_time for one in ordered],
            [one.last_active_time for one in ordered],
            [one.idle_deadline for one in ordered],
        ),
    )
