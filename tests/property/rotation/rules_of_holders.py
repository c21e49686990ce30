"""Rules of users and thieves."""

from __future__ import annotations

import secrets

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from argus.v1 import types_pb2 as types
from tests.property.rotation.holders import CHROME, Delivery
from tests.property.rotation.model import GRACE, PAST_DEBOUNCE, Holder, Jar, Kind, Session, new_prover
from tests.property.rotation.rules import DELIVERY, PICK, SERVER, Rules, with_both

_KINDS: tuple[Kind, ...] = ("resilient", "resilient", "resilient", "resilient", "strict", "ending", "bound", "bound")


class HolderRules(Rules):
    """Whoever has a token presents it."""

    @initialize(jars=st.lists(st.sampled_from([1, 1, 1, 2, 3]), min_size=len(_KINDS), max_size=len(_KINDS)))
    def some_sessions(self, jars: list[int]) -> None:
        people = {kind: self.holders.new_person(kind) for kind in sorted(set(_KINDS))}
        other = self.holders.new_person("resilient")
        for number, kind in enumerate(_KINDS):
            self.holders.begin(kind, other if number < 2 else people[kind], jars=jars[number])

    @rule(pick=PICK, jars=st.sampled_from([1, 1, 2]))
    def sign_in(self, pick: int, jars: int) -> None:
        person = self.session(pick).person
        if person.user_id not in self.holders.disabled:
            self.holders.begin(self.session(pick).kind, person, jars=jars)

    @rule(picks=st.lists(PICK, min_size=1, max_size=6), server=SERVER, delivery=DELIVERY, attempt=st.booleans())
    def refresh(self, picks: list[int], server: int, delivery: Delivery, attempt: bool) -> None:
        for pick in self.few(picks):
            session, jar = self.jar(pick)
            attempt_id = secrets.token_hex(4) if attempt else ""
            self.holders.refresh(session, session.owner, jar, server=server, delivery=delivery, attempt=attempt_id)

    @rule(pick=PICK, delivery=DELIVERY)
    def refresh_again(self, pick: int, delivery: Delivery) -> None:
        """A client that got no answer asks the other server; so does the next tab."""
        session, jar = self.jar(pick)
        for server in (0, 1):
            self.holders.refresh(session, session.owner, jar, server=server, delivery="later", attempt="one")
        for answer in list(session.under_way):
            if delivery == "now":
                self.holders.deliver(session, answer)
            elif delivery == "never":
                self.holders.lose(session, answer)

    @precondition(with_both)
    @rule(pick=PICK, late=st.sampled_from([GRACE - 1, GRACE + 1]), server=SERVER)
    def an_answer_is_lost_and_asked_for_again(self, pick: int, late: int, server: int) -> None:
        """Around the end of the grace: a bound session gets the current token even then."""
        session, jar = self.jar(pick)
        if session.kind == "strict":
            return
        self.advance(PAST_DEBOUNCE)
        self.holders.refresh(session, session.owner, jar, server=0, delivery="never", attempt="one")
        self.advance(late)
        self.holders.refresh(session, session.owner, jar, server=server, attempt="one")

    @precondition(lambda self: any(one.under_way for one in self.holders.sessions))
    @rule(pick=PICK, which=PICK)
    def an_answer_arrives(self, pick: int, which: int) -> None:
        waiting = [(session, answer) for session in self.holders.sessions for answer in session.under_way]
        session, answer = waiting[(pick * 100 + which) % len(waiting)]
        self.holders.deliver(session, answer)

    @rule(picks=st.lists(PICK, min_size=1, max_size=4), server=SERVER)
    def verify(self, picks: list[int], server: int) -> None:
        for pick in self.few(picks):
            session, jar = self.jar(pick)
            self.holders.verify(session, jar, server=server)

    @rule(pick=PICK, from_jar=PICK, looks_the_same=st.booleans())
    def steal(self, pick: int, from_jar: int, looks_the_same: bool) -> None:
        self._thief(*self.jar(pick, from_jar), looks_the_same=looks_the_same)

    @precondition(with_both)
    @rule(pick=PICK, looks_the_same=st.sampled_from([True, False, False]), late=st.sampled_from([0, 5, 5, GRACE + 1]))
    def steal_and_race(self, pick: int, looks_the_same: bool, late: int) -> None:
        """The owner refreshes, and the thief comes a little later with the same token."""
        session, jar = self.jar(pick)
        thief = self._thief(session, jar, looks_the_same=looks_the_same)
        self.advance(PAST_DEBOUNCE)
        self.holders.refresh(session, session.owner, jar, server=0)
        self.advance(late)
        self.holders.refresh(session, thief, thief.jars[0], server=1, has_proof=False)

    @precondition(lambda self: any(len(one.holders) > 1 for one in self.holders.sessions))
    @rule(pick=PICK, server=SERVER, times=st.integers(1, 2))
    def thief_refreshes(self, pick: int, server: int, times: int) -> None:
        robbed = [one for one in self.holders.sessions if len(one.holders) > 1]
        session = robbed[pick % len(robbed)]
        thief = session.holders[-1]
        for _ in range(times if self.world.has_all else 1):
            self.holders.refresh(session, thief, thief.jars[0], server=server, has_proof=False)

    @rule(pick=PICK, back=st.integers(1, 4), server=SERVER)
    def replay(self, pick: int, back: int, server: int) -> None:
        """Somebody presents a token that was replaced long ago."""
        old = [one for one in self.holders.sessions if len(one.old) > back]
        if not old:
            return
        session = old[pick % len(old)]
        session.was_stolen = session.was_stolen or not session.is_bound
        thief = Holder(session.owner.context, [session.owner.jars[0]], is_thief=True)
        token = session.old[-1 - back]
        self.holders.refresh(session, thief, thief.jars[0], server=server, token=token, delivery="never")

    @precondition(with_both)
    @rule(pick=PICK)
    def an_old_copy_turns_up(self, pick: int) -> None:
        """Two generations later: the family stops, and the owner hears of it at the next refresh."""
        session, jar = self.jar(pick)
        copy = Jar(jar.token, jar.access, jar.access_until)
        for _ in range(2):
            self.advance(PAST_DEBOUNCE)
            self.holders.refresh(session, session.owner, jar, server=0)
        thief = self._thief(session, copy, looks_the_same=True)
        self.holders.refresh(session, thief, copy, server=1, has_proof=False)
        self.holders.refresh(session, session.owner, jar, server=0)

    @rule(pick=PICK, server=SERVER, way=st.sampled_from(["none", "other"]))
    def without_proof(self, pick: int, server: int, way: str) -> None:
        """A bound session's tokens come without a proof, or with that of another key."""
        bound = [one for one in self.holders.sessions if one.is_bound]
        session = bound[pick % len(bound)]
        jar, other = session.owner.jars[0], new_prover("dpop") if way == "other" else None
        self.holders.refresh(session, session.owner, jar, server=server, has_proof=False, other=other)
        self.holders.verify(session, jar, server=server, has_proof=False)

    @precondition(with_both)
    @rule(pick=PICK, server=SERVER, delivery=DELIVERY, is_contested=st.booleans())
    def step_up(self, pick: int, server: int, delivery: Delivery, is_contested: bool) -> None:
        """The way on, from a contested session, too; whoever holds a token of an older family stays behind."""
        contested = [one for one in self.holders.sessions if one.contested] if is_contested else []
        session = contested[pick % len(contested)] if contested else self.session(pick)
        jar = session.owner.jars[0]
        older = Jar(jar.token, jar.access, jar.access_until)
        self.holders.step_up(session, jar, server=server, delivery=delivery)
        self.holders.refresh(session, session.owner, jar, server=server)
        self.holders.refresh(session, session.owner, older, server=1 - server)
        self.holders.verify(session, jar, server=server)

    @precondition(with_both)
    @rule(pick=PICK, server=SERVER)
    def redis_misses_a_step_up(self, pick: int, server: int) -> None:
        """PostgreSQL has the new family, Redis the record of the older one: the token itself says so."""
        session, jar = self.jar(pick)
        self.holders.step_up(session, jar, server=server, delivery="later")
        self.holders.refresh(session, session.owner, jar, server=1 - server)

    def _thief(self, session: Session, jar: Jar, *, looks_the_same: bool) -> Holder:
        context = types.ClientContext()
        context.CopyFrom(session.owner.context)
        if not looks_the_same:
            context.user_agent, context.installation_id = CHROME, secrets.token_hex(8)
        thief = Holder(context, [Jar(jar.token, jar.access, jar.access_until)], is_thief=True)
        session.holders.append(thief)
        session.was_stolen = session.was_stolen or not session.is_bound
        return thief
