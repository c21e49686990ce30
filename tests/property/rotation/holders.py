"""What users and thieves do with the tokens that they hold."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Literal

from argus import _core
from argus.v1 import authentication_service_pb2 as authentication
from argus.v1 import session_service_pb2 as sessions
from argus.v1 import token_service_pb2 as tokens
from argus.v1 import types_pb2 as types
from tests.property.rotation import checks
from tests.property.rotation.model import DEADLINE, Answer, Holder, Jar, Kind, Prover, Session, new_prover
from tests.support.people import FIREFOX, PASSWORD, new_person
from tests.support.presented import RefreshToken

if TYPE_CHECKING:
    from argus.server.api import Failure
    from tests.property.rotation.world import World
    from tests.support.people import Person

CHROME = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36"
Delivery = Literal["now", "later", "never"]


class Holders:
    """Makes sessions, and presents tokens of them; checks every answer."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.sessions: list[Session] = []
        self.disabled: set[str] = set()

    def new_person(self, kind: Kind) -> Person:
        """A user of the kind's tenant."""
        return self.world.do(new_person(self.world.apis[kind][0]))

    def begin(self, kind: Kind, person: Person, *, jars: int) -> Session | None:
        """A session with its token in so many jars; None while a store is away."""
        world = self.world
        prove = new_prover("dpop" if len(self.sessions) % 2 else "mtls") if kind == "bound" else None
        # Ends and creations are compared by the second.
        world.do(world.pair.advance(1))
        proof = prove(world.now, "") if prove else None
        request = sessions.CreateSessionRequest(parent=person.name, proof=proof)
        failure, done = world.outcome(lambda: person.api.sessions.CreateSession(request))
        if failure is not None:
            assert failure.reason == "UNAVAILABLE"
            assert not world.has_all
            return None
        now = world.now
        token = RefreshToken.read(done.tokens.refresh_token)
        until = now + int(done.tokens.expires_in.ToTimedelta().total_seconds())
        context = types.ClientContext(user_agent=FIREFOX, installation_id=secrets.token_hex(8))
        owner = Holder(context, [Jar(token, done.tokens.access_token, until) for _ in range(jars)])
        session = Session(
            name=done.session.name,
            kind=kind,
            person=person,
            holders=[owner],
            created=now,
            prove=prove,
            used=now,
            kept=now,
            was_copied=jars > 1,
        )
        session.know(token, now)
        self.sessions.append(session)
        world.tell(f"{session} begins in {jars} jars")
        return session

    def refresh(
        self,
        session: Session,
        holder: Holder,
        jar: Jar,
        *,
        server: int,
        delivery: Delivery = "now",
        token: RefreshToken | None = None,
        has_proof: bool = True,
        other: Prover | None = None,
        attempt: str = "",
    ) -> checks.Call:
        """Presents what a jar holds, or another token; the answer comes at once, later, or never.

        Args:
            session: The session.
            holder: Who presents it.
            jar: Where the answer goes.
            server: Which server is asked.
            delivery: When the answer comes.
            token: Another token than the jar's.
            has_proof: The proof that a bound session's tokens need comes along.
            other: Else makes that of another key.
            attempt: Names the attempt.
        """
        world, presented = self.world, token or jar.token
        self._forget_late_answers(session)
        before = world.raw(session)
        needs_postgresql = world.pair.stores.has_redis and not world.has_everything(session)
        prove = session.prove if has_proof else other
        request = tokens.RefreshTokenRequest(
            refresh_token=presented.text,
            client_context=holder.context,
            attempt_id=attempt,
            proof=prove(world.now, "") if prove else None,
        )
        api = world.apis[session.kind][server]
        failure, answer = world.outcome(lambda: api.tokens.RefreshToken(request))
        # Whether a call took place that a store did not answer in time is unknown.
        session.is_out_of_step = session.is_out_of_step or world.has_repeated
        made = RefreshToken.read(answer.tokens.refresh_token) if failure is None else None
        call = checks.Call(
            session=session,
            token=presented,
            has_proof=has_proof or not session.is_bound,
            is_thief=holder.is_thief,
            before=before,
            after=world.raw(session),
            needs_postgresql=needs_postgresql,
            failure=failure,
            made=made,
        )
        world.tell(f"{session} {call} at server {server}, {delivery}, attempt {attempt or '-'}")
        checks.check_refresh(world, call)
        self._learn(call)
        if made is not None:
            until = world.now + int(answer.tokens.expires_in.ToTimedelta().total_seconds())
            arriving = Answer(jar, presented, made, answer.tokens.access_token, until, world.now)
            session.under_way.append(arriving)
            session.is_out_of_step = session.is_out_of_step or delivery != "now"
            if delivery == "now":
                self.deliver(session, arriving)
            elif delivery == "never":
                self.lose(session, arriving)
        return call

    def step_up(self, session: Session, jar: Jar, *, server: int, delivery: Delivery) -> None:
        """The owner proves itself: there is a new family, whatever the older one had come to.

        Args:
            session: The session; nothing happens to one that may be over.
            jar: What says which session is meant, and where the answer goes.
            server: Which server is asked.
            delivery: Whether the answer comes at once, or never; "later": it comes before the write to Redis.
        """
        world = self.world
        if not session.surely_alive(world.now):
            return
        before, api = world.raw(session), world.apis[session.kind][server]
        start = authentication.StartStepUpRequest(
            parent=api.parent, refresh_token=jar.token.text, proof=_proof_of(session, world.now)
        )
        failure, started = world.outcome(lambda: api.authentication.StartStepUp(start))
        assert failure is None, f"no way out of it: {failure}"
        submit = authentication.SubmitFactorRequest(
            parent=api.parent, login_token=started.login_token, password=PASSWORD, proof=_proof_of(session, world.now)
        )
        failure, done = world.outcome(lambda: api.authentication.SubmitFactor(submit))
        assert failure is None, f"no way out of it: {failure}"
        token = RefreshToken.read(done.tokens.refresh_token)
        assert token.place == (session.highest[0] + 1, 1)
        world.tell(f"{session} steps up to {token.place} at server {server}, {delivery}")
        world.counts["stepped up"] += 1
        session.know(token, world.now)
        session.has_stepped_up, session.contested, session.used = True, False, world.now
        session.was_stolen = session.was_copied = session.lost_answers = session.is_out_of_step = False
        session.under_way.clear()
        if delivery != "never":
            until = world.now + int(done.tokens.expires_in.ToTimedelta().total_seconds())
            jar.token, jar.access, jar.access_until = token, done.tokens.access_token, until
        if delivery == "later" and before is not None and before.record is not None:
            key = _core.Keyspace.session_key(session.session_id)
            world.pair.stores.redis.set(key, before.value, keepttl=True)

    def deliver(self, session: Session, answer: Answer) -> None:
        """An answer arrives; one later than the deadline of its request finds nobody waiting."""
        self._forget_late_answers(session)
        if answer not in session.under_way:
            return
        self.world.tell(f"{session} gets {answer.token.place}")
        session.under_way.remove(answer)
        jar = answer.jar
        jar.access, jar.access_until = answer.access, answer.access_until
        if answer.token.text != answer.presented.text:  # the same once more sets no cookie
            jar.token = answer.token

    def _forget_late_answers(self, session: Session) -> None:
        """Nobody waits for an answer longer than for the deadline of its request."""
        for answer in list(session.under_way):
            if self.world.now - answer.sent > DEADLINE:
                self.lose(session, answer)

    def lose(self, session: Session, answer: Answer) -> None:
        """An answer never arrives."""
        self.world.tell(f"{session} never gets {answer.token.place}")
        session.under_way.remove(answer)
        session.lost_answers = session.lost_answers or answer.token.text != answer.presented.text

    def verify(self, session: Session, jar: Jar, *, server: int, has_proof: bool = True) -> Failure | None:
        """Uses the access token that a jar holds, if it is not over."""
        world = self.world
        if world.now > jar.access_until - 10 or jar.token.family < session.highest[0]:
            return None
        prove = session.prove if has_proof else None
        proof = prove(world.now, jar.access) if prove else None
        request = tokens.VerifyAccessTokenRequest(access_token=jar.access, proof=proof)
        api = world.apis[session.kind][server]
        failure, _ = world.outcome(lambda: api.tokens.VerifyAccessToken(request))
        world.tell(f"{session} verifies at server {server}: {failure and (failure.reason, failure.metadata)}")
        checks.check_verified(world, session, failure, has_proof=has_proof)
        world.counts["verified" if failure is None else f"verify: {failure.reason}"] += 1
        if failure is None:
            session.used = world.now
        self._learn_end(session, failure)
        return failure

    def _learn(self, call: checks.Call) -> None:
        """Takes in what a refresh has told and done."""
        session, world, failure = call.session, self.world, call.failure
        if checks.was_spent(call):
            session.is_out_of_step = True
        if call.made is not None:
            session.know(call.made, world.now)
            session.used, session.is_flushed = world.now, False
        if call.after is not None and (record := call.after.record) is not None:
            session.highest = max(session.highest, (record.family, record.generation))
        if call.cause == "REPLAYED":
            session.contested = True
            session.is_flushed = session.is_flushed and world.pair.stores.has_postgresql
        self._learn_end(session, failure)
        word = "ok" if failure is None else failure.metadata.get("cause") or failure.metadata.get("endReason")
        world.counts[f"refresh: {word or (failure and failure.reason)}"] += 1

    def _learn_end(self, session: Session, failure: Failure | None) -> None:
        """An end that the policy or a deadline has made is for good, once it was told with both stores there."""
        if failure is not None and failure.reason == "SESSION_ENDED" and self.world.has_all and not session.end:
            session.is_unsure = True


def _proof_of(session: Session, now: int) -> types.Proof | None:
    return session.prove(now, "") if session.prove else None
