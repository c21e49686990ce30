"""Readers of revocations miss nothing, whatever the order of commits; entries live as long as tokens may."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from argus.base.ids import new_id
from argus.base.origin import Origin
from argus.revocations.model import Cursor, ResumeTokens
from argus.revocations.store import START, RevocationStore

if TYPE_CHECKING:
    from argus.storage.postgres import Database, Transaction
    from tests.support.features import Features

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = AT + timedelta(hours=1)


@pytest.fixture
def db(features: Features) -> Database:
    return features.db


@pytest.fixture
def store(db: Database) -> RevocationStore:
    return RevocationStore(db)


@pytest.fixture
def tenant() -> str:
    return new_id()


async def note(tx: Transaction, tenant: str, subject: str, *, until: datetime = LATER) -> None:
    """What the triggers do."""
    await tx.execute("SELECT note_revocation(%s, 'session', %s, %s, 'SIGNED_OUT', %s)", (tenant, subject, AT, until))


async def test_what_is_committed_late_is_not_missed(db: Database, store: RevocationStore, tenant: str) -> None:
    """The transaction with the lower id commits after the one with the higher id was read."""
    cursor = await store.cursor()
    async with db.transaction() as early:
        await note(early, tenant, "early")
        async with db.transaction() as late:
            await note(late, tenant, "late")
        first = await store.changes([tenant], cursor, now=AT)
        assert [one.subject for one in first.changes[tenant]] == ["late"]
        assert not (await store.changes([tenant], first.cursor, now=AT)).changes
    second = await store.changes([tenant], first.cursor, now=AT)
    assert [one.subject for one in second.changes[tenant]] == ["early"]
    assert not (await store.changes([tenant], second.cursor, now=AT)).changes


async def test_what_is_rolled_back_never_comes(db: Database, store: RevocationStore, tenant: str) -> None:
    cursor = await store.cursor()
    dry = Origin(tenant_id=tenant, actor="system:test", request_id="", validate_only=True)
    async with db.transaction(dry) as tx:
        await note(tx, tenant, "never")
    assert not (await store.changes([tenant], cursor, now=AT)).changes


async def test_pages_hold_everything_though_rows_are_raised_meanwhile(
    db: Database, store: RevocationStore, tenant: str
) -> None:
    """A row that moves on while somebody turns pages is met where it has gone."""
    async with db.transaction() as tx:
        for number in range(10):
            await note(tx, tenant, str(number))
    since = (await store.cursor()).before_all()
    found, place = await store.page(tenant, since, after=START, size=4, now=AT)
    subjects = {one.subject for one in found}
    async with db.transaction() as tx:
        await note(tx, tenant, "9", until=LATER + timedelta(hours=1))
    while place is not None:
        found, place = await store.page(tenant, since, after=place, size=4, now=AT)
        subjects |= {one.subject for one in found}
    assert subjects == {str(number) for number in range(10)}
    assert found[-1].expire_time == LATER + timedelta(hours=1)


async def test_an_entry_is_only_ever_raised_and_goes_once_it_has_expired(
    db: Database, store: RevocationStore, tenant: str
) -> None:
    since = (await store.cursor()).before_all()
    for until in (LATER, LATER - timedelta(minutes=1)):
        async with db.transaction() as tx:
            await note(tx, tenant, "one", until=until)
    (kept,), _ = await store.page(tenant, since, after=START, size=4, now=AT)
    assert kept.expire_time == LATER
    await store.purge(now=LATER - timedelta(seconds=1))
    assert (await store.page(tenant, since, after=START, size=4, now=AT))[0]
    assert not (await store.page(tenant, since, after=START, size=4, now=LATER))[0]
    assert await store.purge(now=LATER) >= 1
    assert not (await store.page(tenant, since, after=START, size=4, now=AT))[0]


async def test_another_server_is_told_from_the_one_that_was_read(
    db: Database, store: RevocationStore, tenant: str
) -> None:
    """What was read of one says nothing about another, whose transactions may have the same ids."""
    here = await store.cursor()
    async with db.transaction() as tx:
        await note(tx, tenant, "one")
    reading = await store.changes([tenant], Cursor(server="another", snapshot=here.snapshot), now=AT)
    assert not reading.changes
    assert reading.cursor.server == here.server


def test_a_token_that_would_be_too_long_stands_for_less() -> None:
    """With thousands of transactions under way it stands for what was there before all of them."""
    tokens = ResumeTokens(b"k" * 32)
    running = ",".join(str(number) for number in range(1000, 4000))
    long = Cursor(server="s", snapshot=f"1000:5000:{running}")
    token = tokens.encode("t", long)
    assert len(token) < 1024
    assert tokens.decode("t", token) == Cursor(server="s", snapshot="1000:1000:")


def test_only_own_tokens_of_the_same_tenant_are_known() -> None:
    tokens = ResumeTokens(b"k" * 32)
    cursor = Cursor(server="s", snapshot="1:1:")
    token = tokens.encode("t", cursor)
    assert tokens.decode("t", token) == cursor
    flipped = ("B" if token[0] == "A" else "A") + token[1:]
    page = tokens.seal("page", "t", ("s", "1:1:"))
    for forged in ("", "x", "é", "AAAA", flipped, token[:-4], page, ResumeTokens(b"l" * 32).encode("t", cursor)):
        assert tokens.decode("t", forged) is None, forged
    assert tokens.decode("other", token) is None
