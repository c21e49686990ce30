import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from argus.audit.model import AuditEvent
from argus.base.errors import PageTokenInvalidError
from argus.base.events import Event
from tests.support.features import Features, origin


async def test_events_of_a_session_newest_first(features: Features) -> None:
    """Page by page, of that session and tenant alone."""
    tenant, other = await features.new_tenant(), await features.new_tenant()
    for number in range(5):
        event = Event(type="session.updated", session_id="s", data={"number": str(number)})
        await features.db.record(origin(tenant), event, features.time)
        if number % 2:
            features.advance(timedelta(seconds=1))
    await features.db.record(origin(other), Event(type="session.ended", session_id="s"), features.time)
    await features.db.record(origin(tenant), Event(type="session.ended", session_id="t"), features.time)
    seen: list[AuditEvent] = []
    token = ""
    while True:
        events, token = await features.audit.list_session_events(tenant, "s", page_size=2, page_token=token)
        seen += events
        if not token:
            break
        last = token
    assert sorted(one.data["number"] for one in seen) == list("01234")
    assert [one.time for one in seen] == sorted((one.time for one in seen), reverse=True)
    assert (seen[0].actor, seen[0].outcome, seen[0].ip_address) == ("client:test", "success", None)
    with pytest.raises(PageTokenInvalidError):
        await features.audit.list_session_events(tenant, "t", page_size=2, page_token=last)


async def test_support_finds_a_call_by_its_request_id(features: Features) -> None:
    """All that one call did."""
    tenant = await features.new_tenant()
    by = origin(tenant)
    await features.db.record(by, Event(type="token.refused", outcome="failure", reason="EXPIRED"), features.time)
    found = await features.audit.of_request(tenant, by.request_id)
    assert [(one.type, one.outcome, one.reason) for one in found] == [("token.refused", "failure", "EXPIRED")]


async def test_partitions_are_made_a_month_ahead_and_take_what_is_there(features: Features) -> None:
    """Rows that came before their partition move into it; making it again changes nothing."""
    tenant = await features.new_tenant()
    features.time = datetime(2031, 12, 31, 23, 59, tzinfo=UTC)
    await features.db.record(origin(tenant), Event(type="session.ended", session_id="a"), features.time)
    assert await features.audit.ensure_partitions() == 2
    assert await features.audit.ensure_partitions() == 0
    features.advance(timedelta(minutes=2))
    await features.db.record(origin(tenant), Event(type="session.ended", session_id="b"), features.time)
    rows = await features.db.fetch_all(
        """SELECT tableoid::regclass::text AS part, session_id FROM audit_events
            WHERE tenant_id = %s AND session_id IS NOT NULL ORDER BY time""",
        (tenant,),
    )
    assert [(row["part"], row["session_id"]) for row in rows] == [
        ("audit_events_2031_12", "a"),
        ("audit_events_2032_01", "b"),
    ]


async def test_rows_on_their_way_while_their_partition_is_made(features: Features) -> None:
    """A row that has chosen the default partition by then must not be refused by it."""
    tenant = await features.new_tenant()
    for month in range(1, 13):
        features.time = datetime(2041, month, 15, tzinfo=UTC)
        event = Event(type="session.ended", session_id="c")
        rows = [features.db.record(origin(tenant), event, features.time) for _ in range(20)]
        await asyncio.gather(*rows[:10], features.audit.ensure_partitions(), *rows[10:])
    counted = await features.db.fetch_one(
        "SELECT count(*) AS rows FROM audit_events WHERE tenant_id = %s AND session_id = 'c'", (tenant,)
    )
    assert counted == {"rows": 240}
