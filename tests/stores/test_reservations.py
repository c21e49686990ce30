"""Any order of sign-ins, ends, uses and losses: what `reserve` answers is what the plainest model says.

Limits of all three kinds at once, every strategy. The model is a list of sessions and one of sign-ins in flight.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.support.subject import (
    ASK_USER,
    DENY,
    END_LEAST_RECENT,
    END_LOWEST_TRUST,
    END_OLDEST,
    IDLE,
    NOT_RATED,
    Entry,
    Subject,
)
from tests.support.valkey import Valkey

USER, CLIENT, CLASS = 1, 2, 3
CLIENTS: Final = (b"client-1", b"client-2")
# No two of them become equal by halving.
TRUSTS: Final = (NOT_RATED, 0, 7, 33, 99)
HALF_LIFE: Final = 8 * 3600
LIMITS: Final = st.sampled_from((0, 1, 2, 3, 5))


@dataclass
class Known:
    """A session, or a sign-in in flight, as the model knows it."""

    session_id: str
    entry: Entry
    used: int = 0
    claims: list[str] = field(default_factory=list)

    def trusted(self, now: int) -> float:
        """Its trust as it has faded."""
        trust = 30 if self.entry.trust == NOT_RATED else self.entry.trust
        return float(trust * 0.5 ** ((now - self.entry.rated) / HALF_LIFE))


Order = Callable[[Known], tuple[Any, ...]]


class Reservations(RuleBasedStateMachine):
    """One user, whose limits change."""

    valkey: Valkey

    def __init__(self) -> None:
        super().__init__()
        self.subject = Subject(self.valkey)
        self.now = self.subject.now
        self.born = 0
        self.sessions: dict[str, Known] = {}
        self.flying: dict[str, Known] = {}
        self.lost: list[Known] = []

    @initialize(
        limits=st.fixed_dictionaries({USER: LIMITS, CLIENT: LIMITS, CLASS: LIMITS}),
        strategy=st.sampled_from((DENY, END_OLDEST, END_LEAST_RECENT, END_LOWEST_TRUST, ASK_USER)),
    )
    def begin(self, limits: dict[int, int], strategy: int) -> None:
        """What the policy says."""
        self.limits, self.strategy = limits, strategy

    @rule(limits=st.fixed_dictionaries({USER: LIMITS, CLIENT: LIMITS, CLASS: LIMITS}))
    def change(self, limits: dict[int, int]) -> None:
        """It says something else from now on, and there may be more sessions than that."""
        self.limits = limits

    @rule(
        client=st.sampled_from(CLIENTS),
        kind=st.integers(0, 2),
        trust=st.sampled_from(TRUSTS),
        age=st.sampled_from((0, 7, 20 * 3600, 40 * 3600)),
        picks=st.lists(st.integers(0, 9), max_size=4),
        is_slow=st.booleans(),
        crowd=st.integers(0, 2),
    )
    def sign_in(
        self, client: bytes, kind: int, trust: int, age: int, picks: list[int], is_slow: bool, crowd: int
    ) -> None:
        """Somebody signs in, at once or in two steps; some others have done so before, under no limit."""
        limits = self.limits
        self.limits = dict.fromkeys(limits, 0)
        for other in range(crowd):
            self.reserve(CLIENTS[other], (kind + other) % 3, TRUSTS[(self.born + other) % len(TRUSTS)], age * other, [])
            self.create(-1)
        self.limits = limits
        if self.reserve(client, kind, trust, age, picks) and not is_slow:
            self.create(-1)

    def reserve(self, client: bytes, kind: int, trust: int, age: int, picks: list[int]) -> bool:
        """A place, as the model says; whether there is one."""
        self.born += 1
        entry = Entry(
            moment=(self.now - 200_000) * 1000 + self.born,
            client=client,
            device_class=kind,
            trust=trust,
            rated=self.now - age,
            active=self.now - 1000 - age % 60,
        )
        known = list(self.sessions)
        chosen = [known[pick % len(known)] for pick in picks] if known else []
        newcomer = Known(self.subject.new_id(), entry, used=entry.active)
        answer = self.subject.reserve(
            newcomer.session_id,
            limit=self.limits[USER],
            of_client=self.limits[CLIENT],
            of_class=self.limits[CLASS],
            on_limit=self.strategy,
            hold=3600,
            entry=entry,
            chosen=chosen,
        )
        expected = self.judge(newcomer, chosen)
        if expected[0] == 0:
            # Whom they end is told in any order.
            assert (answer[0], dict(pairs(answer))) == (0, dict(pairs(expected)))
            newcomer.claims = [victim for victim, _ in pairs(expected)]
            self.flying[newcomer.session_id] = newcomer
            self.check(newcomer)
        else:
            assert answer == expected
        return bool(expected[0] == 0)

    @precondition(lambda self: self.flying)
    @rule(pick=st.integers(0, 99))
    def create(self, pick: int) -> None:
        """A sign-in comes to its end: the session is there, and those that made room are not."""
        newcomer = self.take(self.flying, pick)
        ends = [(victim, self.now) for victim in newcomer.claims]
        record = self.subject.record(idle_deadline=newcomer.used + IDLE, created=newcomer.entry.moment // 1000)
        assert self.subject.create(newcomer.session_id, record, ends, entry=newcomer.entry) == 0
        for victim in newcomer.claims:
            self.sessions.pop(victim, None)
        self.sessions[newcomer.session_id] = newcomer

    @precondition(lambda self: self.flying)
    @rule(pick=st.integers(0, 99))
    def give_up(self, pick: int) -> None:
        """A sign-in is given up: its place is free, and its victims live on."""
        self.valkey_call("release", self.take(self.flying, pick).session_id)

    @precondition(lambda self: self.sessions)
    @rule(pick=st.integers(0, 99))
    def end(self, pick: int) -> None:
        """Somebody signs out."""
        self.subject.end(self.take(self.sessions, pick).session_id)

    @precondition(lambda self: self.sessions)
    @rule(pick=st.integers(0, 99), used=st.integers(1, 900))
    def use(self, pick: int, used: int) -> None:
        """A session is used."""
        one = self.sessions[list(self.sessions)[pick % len(self.sessions)]]
        one.used = max(one.used, self.now - used)
        self.subject.put(one.session_id, self.subject.record(idle_deadline=one.used + IDLE))

    @precondition(lambda self: self.sessions)
    @rule(pick=st.integers(0, 99))
    def forget_one(self, pick: int) -> None:
        """The store loses a record, and with it the uses that PostgreSQL does not know."""
        one = self.sessions[list(self.sessions)[pick % len(self.sessions)]]
        self.valkey.client.delete(self.subject.key(one.session_id))
        one.used = one.entry.active

    @rule(is_total=st.booleans())
    def rebuild(self, is_total: bool) -> None:
        """The index is rebuilt of what PostgreSQL has; if all is lost, so are the places of sign-ins in flight."""
        self.valkey.client.delete(self.subject.user)
        if is_total:
            self.valkey.client.delete(self.subject.index, *(self.subject.key(one) for one in self.sessions))
            self.lost += self.flying.values()
            self.flying.clear()
            for one in self.sessions.values():
                one.used = one.entry.active
        assert self.subject.rebuild_user([(one.session_id, one.entry) for one in self.sessions.values()]) == 0

    @precondition(lambda self: self.lost)
    @rule()
    def come_late(self) -> None:
        """A sign-in whose place was lost begins no session; those it has ended are over."""
        late = self.lost.pop()
        ends = [(victim, self.now) for victim in late.claims]
        assert self.subject.create(late.session_id, victims=ends, entry=late.entry) == 3
        for victim in late.claims:
            self.sessions.pop(victim, None)

    def check(self, newcomer: Known) -> None:
        """Sessions that nobody has claimed and sign-ins in flight pass no limit that the newcomer was let in under."""
        everybody = [*self.free(), *self.flying.values()]
        for kind, most in self.limits.items():
            assert not most or len([one for one in everybody if counts(kind, newcomer, one)]) <= most

    def judge(self, newcomer: Known, chosen: list[str]) -> list[Any]:
        """What `reserve` must answer."""
        limits = sorted(((most, -kind) for kind, most in self.limits.items() if most))
        reached = [
            (-kind, most, surplus) for most, kind in limits if (surplus := self.surplus(-kind, most, newcomer)) > 0
        ]
        for kind, most, surplus in reached:
            if surplus > len(self.able(kind, newcomer, set())):
                return [2, kind, most]
        if not reached:
            return [0]
        if self.strategy == DENY:
            return [2, *reached[0][:2]]
        if self.strategy == ASK_USER:
            return self.asked(newcomer, reached, limits, chosen)
        answer: list[Any] = [0]
        gone: set[str] = set()
        for most, kind in limits:
            for _ in range(self.surplus(-kind, most, newcomer, gone)):
                victim = min(self.able(-kind, newcomer, gone), key=self.order())
                gone.add(victim.session_id)
                answer += [victim.session_id, -kind]
        return answer

    def asked(
        self, newcomer: Known, reached: list[tuple[int, int, int]], limits: list[tuple[int, int]], chosen: list[str]
    ) -> list[Any]:
        """The user is asked until what it has chosen is enough."""
        choices: dict[str, int] = {}
        for kind, _, _ in reached:
            for one in sorted(self.able(kind, newcomer, set()), key=lambda one: one.entry.moment):
                choices.setdefault(one.session_id, kind)
        gone = {one: kind for one, kind in choices.items() if one in chosen}
        if all(self.surplus(-kind, most, newcomer, set(gone)) <= 0 for most, kind in limits):
            return [0, *(part for pair in gone.items() for part in pair)]
        return [4, *reached[0][:2], self.least(newcomer, limits), *choices]

    def least(self, newcomer: Known, limits: list[tuple[int, int]]) -> int:
        """Of all sets that would be enough the smallest; sessions of one client and class are as good as each other."""
        alike: dict[tuple[bytes, int], list[str]] = {}
        for one in self.free():
            alike.setdefault((one.entry.client, one.entry.device_class), []).append(one.session_id)
        sets = product(*([group[:count] for count in range(len(group) + 1)] for group in alike.values()))
        return min(
            len(gone)
            for gone in ({one for part in parts for one in part} for parts in sets)
            if all(self.surplus(-kind, most, newcomer, gone) <= 0 for most, kind in limits)
        )

    def order(self) -> Order:
        """How the strategy orders sessions."""
        now = self.subject.now
        orders: dict[int, Order] = {
            END_OLDEST: lambda one: (one.entry.moment,),
            END_LEAST_RECENT: lambda one: (one.used, one.entry.moment),
            END_LOWEST_TRUST: lambda one: (one.trusted(now), one.used, one.entry.moment),
        }
        return orders[self.strategy]

    def free(self) -> list[Known]:
        """Sessions that no sign-in in flight has claimed."""
        claimed = {victim for one in self.flying.values() for victim in one.claims}
        return [one for one in self.sessions.values() if one.session_id not in claimed]

    def able(self, kind: int, newcomer: Known, gone: set[str]) -> list[Known]:
        """Those that a limit counts, and that could make room."""
        return [one for one in self.free() if one.session_id not in gone and counts(kind, newcomer, one)]

    def surplus(self, kind: int, most: int, newcomer: Known, gone: set[str] | None = None) -> int:
        """How many too many there would be."""
        flying = [one for one in self.flying.values() if counts(kind, newcomer, one)]
        return len(self.able(kind, newcomer, gone or set())) + len(flying) + 1 - most

    def take(self, known: dict[str, Known], pick: int) -> Known:
        """Any of them."""
        return known.pop(list(known)[pick % len(known) if pick >= 0 else -1])

    def valkey_call(self, function: str, session_id: str) -> None:
        """A function on the index alone."""
        self.valkey.call(function, [self.subject.index], session_id)


def pairs(answer: list[Any]) -> Iterator[tuple[str, int]]:
    """Whom a sign-in ends, and what the limits count by which it does."""
    return zip(answer[1::2], answer[2::2], strict=True)


def counts(kind: int, own: Known, other: Known) -> bool:
    """Whether a limit, in the eyes of one, counts the other."""
    same = {
        USER: True,
        CLIENT: own.entry.client == other.entry.client,
        CLASS: own.entry.device_class == other.entry.device_class,
    }
    return same[kind]


@pytest.mark.timeout(600)
def test_reservations_are_what_the_plainest_model_says(valkey: Valkey) -> None:
    machine = type("Bound", (Reservations,), {"valkey": valkey})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=150, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
