"""Rules of administrators."""

from __future__ import annotations

from typing import Any, Final

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from argus import _core
from argus.v1 import session_service_pb2 as sessions
from argus.v1 import tenant_service_pb2 as tenants
from argus.v1 import types_pb2 as types
from argus.v1 import user_service_pb2 as users
from tests.property.rotation.model import PAST_DEBOUNCE, Kind, Session
from tests.property.rotation.rules import PICK, SERVER, Rules, with_both

_FEW: Final = 3


class EndRules(Rules):
    """Sessions end: one, all of a user, all of a tenant."""

    @rule(pick=PICK, server=SERVER)
    def end(self, pick: int, server: int) -> None:
        session = self.session(pick)
        request = sessions.TerminateSessionRequest(name=session.name)
        api = self.world.apis[session.kind][server]
        failure, answer = self.world.outcome(lambda: api.sessions.TerminateSession(request))
        self._ended([session], None if failure else answer.state)

    @precondition(with_both)
    @rule(pick=PICK, ends=st.booleans(), waits=st.booleans())
    def redis_forgets_while_postgresql_is_away(self, pick: int, ends: bool, waits: bool) -> None:
        """Nobody can know: neither yes nor no. An end made in the dark was never called more than pending."""
        session, jar = self.jar(pick)
        self.flush()
        self.disasters.take_postgresql()
        if ends:
            self.end(pick, 0)
        self.disasters.lose("FLUSHALL")
        self.holders.refresh(session, session.owner, jar, server=0)
        self.holders.verify(session, jar, server=1)
        self.disasters.bring_back()
        if waits:
            self.advance(PAST_DEBOUNCE)
        self.holders.refresh(session, session.owner, jar, server=1)

    @rule(pick=PICK, server=SERVER, disables=st.booleans(), is_late=st.sampled_from([True, True, False]))
    def end_all_of_a_user(self, pick: int, server: int, disables: bool, is_late: bool) -> None:
        """Ends them by one mark; it counts also while their tombstones are on their way."""
        person, kind = self.session(pick).person, self.session(pick).kind
        ended = [one for one in self.holders.sessions if one.person is person]
        api = self.world.apis[kind][server]
        self.world.do(self.world.pair.advance(1))
        before = self._raws(ended) if is_late and self.world.has_all else {}
        if disables:
            request = users.DisableUserRequest(name=person.name)
            failure, disabled = self.world.outcome(lambda: api.users.DisableUser(request))
            state = None if failure else disabled.sessions_state
            self.holders.disabled.add(person.user_id)
        else:
            every = sessions.TerminateSessionsRequest(parent=person.name)
            failure, done = self.world.outcome(lambda: api.sessions.TerminateSessions(every))
            state = None if failure else done.state
        self._ended(ended, state)
        for key, value in before.items():
            self.world.pair.stores.redis.set(key, value, keepttl=True)
        self.world.do(self.world.pair.advance(2))
        self._come_back(ended)

    @precondition(with_both)
    @rule(kind=st.sampled_from(["strict", "ending"]))
    def end_all_of_a_tenant(self, kind: Kind) -> None:
        api = self.world.apis[kind][0]
        self.world.do(self.world.pair.advance(1))
        request = tenants.TerminateTenantSessionsRequest(name=api.parent)
        failure, ended = self.world.outcome(lambda: api.tenants.TerminateTenantSessions(request))
        of_kind = [one for one in self.holders.sessions if one.kind == kind]
        self._ended(of_kind, None if failure else ended.sessions_state)
        self.world.do(self.world.pair.advance(2))
        for one in self.world.apis[kind]:
            one._renew_at = None  # client tokens have ended, too
        self._come_back(of_kind)

    def _come_back(self, ended: list[Session]) -> None:
        """Owners come back who have not heard of the end."""
        for session in self.few(ended)[:_FEW]:
            self.holders.refresh(session, session.owner, session.owner.jars[0], server=1)

    def _raws(self, of: list[Session]) -> dict[bytes, Any]:
        """The living records of sessions, by their keys."""
        found = {_core.Keyspace.session_key(one.session_id): self.world.raw(one) for one in of}
        return {key: raw.value for key, raw in found.items() if raw and raw.record}

    def _ended(self, ended: list[Session], state: types.TerminationState.ValueType | None) -> None:
        """Takes in how far an end has come; None: nobody was told."""
        self.world.tell(f"{', '.join(map(str, ended))} end: {state}")
        for session in ended:
            if state == types.TERMINATION_STATE_ENDED:
                session.end = "ENDED"
            elif session.end != "ENDED":
                session.end, session.is_unsure = "PENDING", True
