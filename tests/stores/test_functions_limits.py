"""The laws of the functions that hold the concurrent limit: reserve, create, release."""

import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.support.records import tombstone, user_record
from tests.support.subject import (
    ASK_USER,
    DENY,
    END_LEAST_RECENT,
    END_LOWEST_TRUST,
    END_OLDEST,
    HOLD,
    IDLE,
    NOT_RATED,
    Subject,
)
from tests.support.valkey import Valkey

RACERS = 64
LIMIT = 6
LIMIT_REASON = 6


@pytest.fixture
def subject(valkey: Valkey) -> Subject:
    """A user of this test alone."""
    return Subject(valkey)


def living(subject: Subject) -> int:
    """Sessions that are no tombstones."""
    return sum(len(subject.value(member)) == 99 for member in subject.members())


def test_a_sign_in_takes_a_place_and_then_is_a_session(subject: Subject) -> None:
    """A hold becomes a member; the record carries the node's lineage, its key the life that was asked for."""
    session_id = subject.new_id()
    assert subject.reserve(session_id) == [0]
    entries = subject.index_entries()
    assert set(entries) == {f"!{session_id}"}
    assert -1000 <= (subject.now + HOLD) * 1000 - entries[f"!{session_id}"].moment <= 5000
    record, entry = subject.record(), subject.entry(device_class=2, trust=44)
    assert subject.create(session_id, record, entry=entry) == 0
    assert subject.index_entries() == {session_id: entry}
    assert subject.stored(session_id).lineage == subject.lineage
    assert 86_400 < subject.valkey.client.ttl(subject.key(session_id)) <= 86_460


@pytest.mark.parametrize("on_limit", [DENY, END_OLDEST, END_LEAST_RECENT, END_LOWEST_TRUST])
def test_racing_sign_ins_never_pass_the_limit(subject: Subject, on_limit: int) -> None:
    """64 at once: at no moment more sessions and sign-ins in flight than the limit, and no victim is taken twice."""
    before = [subject.sign_in() for _ in range(LIMIT - 2)]
    over: list[int] = []
    victims: list[str] = []

    def sign_in(seed: int) -> bool:
        session_id = subject.new_id()
        status, *answer = subject.reserve(session_id, limit=LIMIT, on_limit=on_limit)
        assert status in (0, 2)
        if status == 0:
            mine = answer[::2]
            if random.Random(seed).random() < 0.2:  # noqa: S311 - no secret
                subject.valkey.call("release", [subject.index], session_id)
                return False
            assert subject.create(session_id, victims=[(victim, subject.now) for victim in mine]) == 0
            victims.extend(mine)
        over.append(living(subject) - LIMIT)
        return bool(status == 0)

    with ThreadPoolExecutor(RACERS) as pool:
        won = sum(pool.map(sign_in, range(RACERS)))
    assert max(over) <= 0
    assert len(subject.members()) <= LIMIT
    if on_limit == DENY:
        assert set(before) <= subject.members()
        assert not victims
    else:
        assert won >= 2
        assert len(victims) == len(set(victims))
        assert {len(subject.value(victim)) for victim in victims} == {15}


def test_two_sign_ins_in_flight_never_choose_the_same_victim(subject: Subject) -> None:
    """A claimed session counts no longer and is nobody else's."""
    oldest, second = (subject.sign_in(created=subject.now - age) for age in (20, 10))
    first_in, second_in = subject.new_id(), subject.new_id()
    assert subject.reserve(first_in, limit=2, on_limit=END_OLDEST) == [0, oldest, 1]
    assert subject.reserve(second_in, limit=2, on_limit=END_OLDEST) == [0, second, 1]
    assert subject.reserve(subject.new_id(), limit=2, on_limit=END_OLDEST) == [2, 1, 2], (
        "only sign-ins in flight are left"
    )
    assert subject.create(first_in, victims=[(oldest, 1234)]) == 0
    assert subject.value(oldest) == tombstone(subject.lineage, LIMIT_REASON, 1234)
    assert subject.members() == {first_in, second}


@pytest.mark.parametrize("is_users", [True, False])
def test_what_a_not_before_has_ended_counts_no_longer(subject: Subject, is_users: bool) -> None:
    """Begun in its second or earlier; a session of another client, or of the second after, counts."""
    client, other = b"client-1", b"client-2"
    moment = subject.now - 10
    made = {
        (name, second): subject.sign_in(subject.entry(client=name, moment=(moment + second) * 1000 + 999))
        for name in (client, other)
        for second in (0, 1)
    }
    if is_users:
        subject.valkey.client.set(subject.user, user_record(subject.lineage, not_before=moment))
        left, covers = [made[client, 1], made[other, 1]], []
    else:
        left, covers = [made[client, 1], made[other, 0], made[other, 1]], [(client, moment)]
    assert subject.reserve(subject.new_id(), limit=len(left), covers=covers, on_limit=DENY) == [2, 1, len(left)]
    assert subject.reserve(subject.new_id(), limit=len(left) + 1, covers=covers, on_limit=DENY) == [0]
    assert {one for one in subject.index_entries() if one[0] not in "!~"} == set(left)


def test_a_second_reservation_takes_the_place_of_the_first(subject: Subject) -> None:
    """A retry is given the same victim, and nothing is held twice."""
    oldest = subject.sign_in()
    session_id = subject.new_id()
    for _ in range(3):
        assert subject.reserve(session_id, limit=1, on_limit=END_OLDEST) == [0, oldest, 1]
    assert len(subject.index_entries()) == 3


def test_a_hold_that_ran_out_gives_place_and_victim_back(subject: Subject) -> None:
    """A sign-in that crashed costs nobody a session."""
    oldest = subject.sign_in()
    assert subject.reserve(subject.new_id(), limit=1, on_limit=END_OLDEST, hold=0) == [0, oldest, 1]
    assert subject.reserve(subject.new_id(), limit=1) == [2, 1, 1], "the victim lives again, and counts"
    assert subject.members() == {oldest}
    assert len(subject.index_entries()) == 1
    assert subject.reserve(subject.new_id(), limit=2) == [0]


def test_a_release_gives_place_and_victim_back(subject: Subject) -> None:
    """So does a sign-in that was given up."""
    oldest, session_id = subject.sign_in(), subject.new_id()
    assert subject.reserve(session_id, limit=1, on_limit=END_OLDEST) == [0, oldest, 1]
    subject.valkey.call("release", [subject.index], session_id)
    assert set(subject.index_entries()) == {oldest}


def test_the_dead_do_not_count(subject: Subject) -> None:
    """Sessions that ended or are overdue leave the index; one that the store forgot lives, as far as known."""
    now = subject.now
    ended, idle, forgotten, alive = (subject.sign_in() for _ in range(4))
    subject.valkey.client.set(subject.key(ended), tombstone(subject.lineage, 1, now))
    subject.put(idle, subject.record(idle_deadline=now))
    subject.valkey.client.delete(subject.key(forgotten))
    assert subject.reserve(subject.new_id(), limit=2) == [2, 1, 2]
    assert subject.members() == {forgotten, alive}
    assert subject.reserve(subject.new_id(), limit=3) == [0]


def test_the_least_recently_used_is_ended_first(subject: Subject) -> None:
    """By the idle deadline, or by what PostgreSQL knew where the store has lost the record; several if need be."""
    now = subject.now
    recent, old = subject.sign_in(created=now - 900), subject.sign_in(subject.entry(active=now - 950))
    forgotten = subject.sign_in(subject.entry(active=now - 700))
    subject.put(old, subject.record(idle_deadline=now + IDLE - 800))
    subject.put(forgotten, subject.record(), lineage=b"restart!")
    answer = subject.reserve(subject.new_id(), limit=2, on_limit=END_LEAST_RECENT)
    assert answer == [0, old, 1, forgotten, 1]
    assert subject.reserve(subject.new_id(), limit=2, on_limit=END_LEAST_RECENT) == [0, recent, 1]


def test_a_session_near_its_absolute_end_is_as_recent_as_its_last_rotation(subject: Subject) -> None:
    """Its idle deadline is cut off there, and does not say how long ago it was used."""
    now = subject.now
    ending, idle = subject.sign_in(), subject.sign_in(subject.entry(active=now - 950))
    subject.put(ending, subject.record(idle_deadline=now + 60, absolute_deadline=now + 60, made=now - 5))
    subject.put(idle, subject.record(idle_deadline=now + IDLE - 900))
    assert subject.reserve(subject.new_id(), limit=2, on_limit=END_LEAST_RECENT) == [0, idle, 1]


def test_the_least_trusted_is_ended_first(subject: Subject) -> None:
    """As far as it is trusted by now; one that nobody has rated stands at 30, and halves as well."""
    now = subject.now
    bad, unrated, faded, good = (
        subject.sign_in(subject.entry(trust=trust, rated=now - age))
        for trust, age in ((20, 0), (NOT_RATED, 0), (100, 40 * 3600), (90, 0))
    )
    for expected in (faded, bad, unrated, good):
        newcomer = subject.new_id()
        left = len(subject.members())
        trusted = subject.entry(trust=100, rated=now)
        assert subject.reserve(newcomer, limit=left, on_limit=END_LOWEST_TRUST, entry=trusted) == [0, expected, 1]
        assert subject.create(newcomer, victims=[(expected, now)], entry=trusted) == 0


def test_the_tightest_limit_decides_and_ends_only_what_it_counts(subject: Subject) -> None:
    """The two oldest of all stay where the limit of the client, or of the class, is the tighter one."""
    now = subject.now
    other, phone, mine, both = (
        subject.sign_in(subject.entry(moment=(now - age) * 1000, client=client, device_class=kind))
        for age, client, kind in (
            (40, b"other---", 1),
            (30, b"other---", 2),
            (20, b"mine----", 1),
            (10, b"mine----", 2),
        )
    )
    entry = subject.entry(client=b"mine----", device_class=2)
    tight: list[tuple[dict[str, Any], list[object]]] = [
        ({"limit": 4, "of_client": 2}, [mine, 2]),
        ({"limit": 4, "of_class": 2}, [phone, 3]),
        ({"limit": 4}, [other, 1]),
        ({"limit": 4, "of_client": 2, "of_class": 2}, [phone, 3, mine, 2]),
        ({"limit": 4, "of_client": 1, "of_class": 2}, [mine, 2, both, 2]),
        ({"limit": 2, "of_class": 1}, [phone, 3, both, 3, other, 1]),
    ]
    for limits, expected in tight:
        newcomer = subject.new_id()
        assert subject.reserve(newcomer, on_limit=END_OLDEST, entry=entry, **limits) == [0, *expected], limits
        subject.valkey.call("release", [subject.index], newcomer)
    assert subject.reserve(subject.new_id(), limit=3, of_client=2, entry=entry) == [2, 2, 2]


def test_sign_ins_in_flight_count_under_their_own_client_and_class(subject: Subject) -> None:
    """A hold of another client takes no place from this one."""
    mine, other = subject.entry(client=b"mine----"), subject.entry(client=b"other---", device_class=1)
    assert subject.reserve(subject.new_id(), limit=0, of_client=1, entry=other) == [0]
    assert subject.reserve(subject.new_id(), limit=0, of_client=1, entry=mine) == [0]
    assert subject.reserve(subject.new_id(), limit=0, of_client=1, entry=mine) == [2, 2, 1]
    assert subject.reserve(subject.new_id(), limit=0, of_class=1, entry=other) == [2, 3, 1]


def test_the_user_is_asked_and_what_it_chooses_makes_room(subject: Subject) -> None:
    """Whoever waits for the answer holds no place; more than enough may be chosen, and too few end nothing."""
    now = subject.now
    sessions = [subject.sign_in(subject.entry(moment=(now - age) * 1000)) for age in (30, 20, 10)]
    newcomer = subject.new_id()
    asked = [4, 1, 2, 2, *sessions]
    assert subject.reserve(newcomer, limit=2, on_limit=ASK_USER) == asked
    assert set(subject.index_entries()) == set(sessions), "nothing is held"
    assert subject.reserve(newcomer, limit=2, on_limit=ASK_USER, chosen=sessions[1:2]) == asked
    assert set(subject.index_entries()) == set(sessions), "nothing is claimed"
    answer = subject.reserve(newcomer, limit=2, on_limit=ASK_USER, chosen=[sessions[2], "stranger", sessions[0]])
    assert answer == [0, sessions[0], 1, sessions[2], 1]
    ends = [(sessions[0], now), (sessions[2], now)]
    assert subject.create(newcomer, victims=ends) == 0
    assert subject.members() == {sessions[1], newcomer}


def test_what_the_user_has_chosen_stays_where_a_place_is_free_by_now(subject: Subject) -> None:
    """Nothing is ended in vain; nor is what no reached limit counts."""
    phone, desktop = (subject.sign_in(subject.entry(device_class=kind)) for kind in (2, 1))
    entry = subject.entry(device_class=2)
    limits: dict[str, Any] = {"limit": 5, "of_class": 1, "on_limit": ASK_USER, "entry": entry}
    assert subject.reserve(subject.new_id(), **limits) == [4, 3, 1, 1, phone]
    newcomer = subject.new_id()
    assert subject.reserve(newcomer, **limits, chosen=[phone, desktop]) == [0, phone, 3]
    subject.valkey.call("release", [subject.index], newcomer)
    subject.end(phone)
    assert subject.reserve(newcomer, **limits, chosen=[phone, desktop]) == [0]


def test_a_place_that_the_store_has_forgotten_is_lost(subject: Subject) -> None:
    """Others may have been let in since: the session is not written, its victims end all the same."""
    victim, newcomer = subject.sign_in(), subject.new_id()
    assert subject.reserve(newcomer, limit=1, on_limit=END_OLDEST) == [0, victim, 1]
    subject.valkey.client.delete(subject.index, subject.user)
    assert subject.rebuild_user([(victim, subject.entry())]) == 0
    assert subject.create(newcomer, victims=[(victim, 1234)]) == 3
    assert subject.value(newcomer) == b""
    assert subject.index_entries() == {}
    assert subject.value(victim) == tombstone(subject.lineage, LIMIT_REASON, 1234)


def test_without_a_limit_nobody_is_counted(subject: Subject) -> None:
    """0 is no limit."""
    for _ in range(20):
        subject.sign_in()
    assert len(subject.members()) == 20


def test_a_disabled_or_unknown_user_gets_no_place(valkey: Valkey) -> None:
    """Nothing is written for them."""
    unknown, disabled = Subject(valkey, is_known=False), Subject(valkey)
    disabled.set_user(disabled=1)
    assert (unknown.reserve(unknown.new_id()), disabled.reserve(disabled.new_id())) == ([1], [3])
    assert unknown.create(unknown.new_id()) == 1
    assert (unknown.index_entries(), disabled.index_entries()) == ({}, {})


def test_a_session_is_created_once(subject: Subject) -> None:
    """A repeat, or a create that its own end has overtaken, changes nothing."""
    created, ended = subject.sign_in(), subject.new_id()
    record = subject.value(created)
    assert subject.create(created, subject.record(generation=7)) == 2
    assert subject.value(created) == record
    subject.end(ended)
    assert subject.create(ended) == 2
    assert len(subject.value(ended)) == 15


def test_a_victim_that_ended_before_keeps_its_end(subject: Subject) -> None:
    """The end by the limit is not the first."""
    victim, session_id = subject.sign_in(), subject.new_id()
    subject.reserve(session_id, limit=1, on_limit=END_OLDEST)
    at = subject.now
    subject.end(victim, reason=1, at=at)
    assert subject.create(session_id, victims=[(victim, at + 1)]) == 0
    assert subject.value(victim) == tombstone(subject.lineage, 1, at)


def test_a_newcomer_that_was_ended_before_ends_its_victims_all_the_same(subject: Subject) -> None:
    """They have ended in PostgreSQL with its creation; its own end stays what it was."""
    victim, newcomer = subject.sign_in(), subject.new_id()
    subject.end(newcomer)
    before = subject.value(newcomer)
    assert subject.create(newcomer, victims=[(victim, subject.now)]) == 2
    assert subject.value(newcomer) == before
    assert len(subject.value(victim)) == 15
