"""Rules of time, and of stores that forget, restart and go away."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule

from tests.property.rotation.model import ABSOLUTE, GRACE, IDLE, PAST_DEBOUNCE, PAST_SHORT_ABSOLUTE, SHORT_ABSOLUTE
from tests.property.rotation.rules import PICK, Rules, with_both, with_redis

_SPANS: Final = (1, 5, 12, GRACE + 1, PAST_DEBOUNCE, PAST_DEBOUNCE, PAST_DEBOUNCE, 90, IDLE + 5, ABSOLUTE + 5)
# Other rules lose everything by FLUSHALL, too.
_LOSSES: Final = (*["restart from a snapshot", "restart empty", "restart from the log"] * 2, "FLUSHALL")
_OF_ONE: Final = ("record", "record", "user", "forge living", "forge dead")
# Each call to a store that is away costs a wait: an example would hardly get anywhere.
_LONGEST_AWAY: Final = 4


def with_postgresql(machine: Any) -> bool:
    """A rule for a PostgreSQL that is there."""
    return bool(machine.world.pair.stores.has_postgresql)


class StoreRules(Rules):
    """Nothing that happens to the stores breaks a promise."""

    away_since: int = 0

    @rule(span=st.sampled_from(_SPANS))
    def let_time_pass(self, span: int) -> None:
        self.advance(span)
        if span >= SHORT_ABSOLUTE and self.world.has_all:
            for session in list({one.person.user_id: one for one in self.holders.sessions}.values()):
                self.holders.refresh(session, session.owner, session.owner.jars[0], server=0)
                if session.person.user_id not in self.holders.disabled:
                    self.holders.begin(session.kind, session.person, jars=1)

    @precondition(with_postgresql)
    @rule()
    def bounds_are_flushed(self) -> None:
        self.flush()
        self.disasters.look_at_bounds(is_flushed=True)

    @precondition(with_redis)
    @rule()
    def save(self) -> None:
        self.disasters.save()

    @precondition(with_redis)
    @rule(
        what=st.sampled_from(_LOSSES),
        flushes=st.booleans(),
    )
    def lose(self, what: str, flushes: bool) -> None:
        if what == "restart from a snapshot" and self.disasters.snapshot is None:
            self.disasters.save()
        if flushes:
            self.flush()
        self.disasters.lose(what)

    @precondition(with_redis)
    @rule(pick=PICK, what=st.sampled_from(_OF_ONE), flushes=st.booleans())
    def lose_one(self, pick: int, what: str, flushes: bool) -> None:
        session, jar = self.jar(pick)
        if flushes:
            self.flush()
        ways: dict[str, Callable[[], None]] = {
            "record": lambda: self.disasters.forget_record(session),
            "user": lambda: self.disasters.forget_user(session),
            "forge living": lambda: self.disasters.forge(session, as_living=True),
            "forge dead": lambda: self.disasters.forge(session, as_living=False),
        }
        ways[what]()
        self.holders.refresh(session, session.owner, jar, server=pick % 2)

    @precondition(with_both)
    @rule(pick=PICK)
    def redis_forgets_a_user(self, pick: int) -> None:
        """The session's own record is there: it decides nothing alone."""
        session, jar = self.jar(pick)
        self.holders.refresh(session, session.owner, jar, server=0)
        self.disasters.forget_user(session)
        self.holders.refresh(session, session.owner, jar, server=1)

    @precondition(with_both)
    @rule(picks=st.lists(PICK, min_size=2, max_size=5))
    def a_backlog_grows(self, picks: list[int]) -> None:
        """PostgreSQL is away for longer than a grace: nothing rotates any more, and everybody stays in."""
        self.disasters.take_postgresql()
        for wait in (PAST_DEBOUNCE, PAST_DEBOUNCE):
            for pick in picks:
                session, jar = self.jar(pick)
                self.holders.refresh(session, session.owner, jar, server=0)
            self.advance(wait)

    @precondition(with_both)
    @rule(pick=PICK)
    def redis_forgets_what_a_slow_server_has_not_told(self, pick: int) -> None:
        """The newest generation is known to its holder alone: it is adopted, or made again."""
        session, jar = self.jar(pick)
        self.advance(PAST_DEBOUNCE)
        self.holders.refresh(session, session.owner, jar, server=1)
        self.advance(PAST_DEBOUNCE)
        if not self.world.has_everything(session):
            return  # the slow server would have to rebuild it, and to tell what it knows before
        turn = self.world.pair.all_argus[1].effects._turn
        self.world.do(turn.acquire())
        try:
            self.holders.refresh(session, session.owner, jar, server=1)
            self.disasters.lose("FLUSHALL")
            self.holders.refresh(session, session.owner, jar, server=0)
        finally:
            turn.release()

    @precondition(with_redis)
    @rule(alone=st.sampled_from([True, True, True, False]))
    def redis_goes(self, alone: bool) -> None:
        self.disasters.take_redis()
        if not alone and self.world.pair.stores.has_postgresql:
            self.disasters.take_postgresql()

    @precondition(with_postgresql)
    @rule()
    def postgresql_goes(self) -> None:
        self.disasters.take_postgresql()

    @precondition(lambda self: not self.world.has_all)
    @rule()
    def stores_come_back(self) -> None:
        self.disasters.bring_back()

    @precondition(with_both)
    @rule(pick=PICK, waits=st.booleans())
    def change_policy(self, pick: int, waits: bool) -> None:
        """A shorter life bites at the next use."""
        kind = self.session(pick).kind
        self.world.change_policy(kind)
        if waits:
            self.advance(PAST_SHORT_ABSOLUTE)
            for session in [one for one in self.holders.sessions if one.kind == kind]:
                self.holders.refresh(session, session.owner, session.owner.jars[0], server=1)

    @invariant()
    def nothing_is_away_for_ever(self) -> None:
        self.away_since = 0 if self.world.has_all else self.away_since + 1
        if self.away_since > _LONGEST_AWAY:
            self.disasters.bring_back()
