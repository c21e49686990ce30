"""The ten assertions on rotation, each by its name, and what follows from them for a single call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tests.property.rotation.model import LEAST_DEBOUNCE, Session
from tests.support.presented import RefreshToken
from tests.support.records import ACTIVE, BY_ROTATION, CONTESTED

if TYPE_CHECKING:
    from argus.server.api import Failure
    from tests.property.rotation.world import Raw, World

_FEW_LOSSES: Final = 2
# A promise of seconds, made by stores that count whole ones.
_ROUNDING: Final = 1
_TIMEOUTS: Final = {"IDLE_TIMEOUT", "ABSOLUTE_TIMEOUT"}
# What a thief, a second jar and a lost answer may cost an unbound user: a step-up, and never more.
_CAUSES: Final = {"CONTESTED", "REPLAYED", "PRINT_CHANGED", "ANSWER_LATE", "FAMILY_OLDER"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A presented refresh token, and what came of it.

    Attributes:
        has_proof: The proof that the session's tokens are bound to came along.
        before: What Redis held.
        after: What it holds now; both None while Redis is away.
        needs_postgresql: Something that the decision needs was not in Redis, or of another node.
        made: The refresh token in the answer; None if there was no good one.
    """

    session: Session
    token: RefreshToken
    has_proof: bool
    is_thief: bool
    before: Raw | None
    after: Raw | None
    needs_postgresql: bool
    failure: Failure | None
    made: RefreshToken | None

    def __str__(self) -> str:
        who = "the thief" if self.is_thief else "the owner"
        held = self.before.record if self.before else None
        known = (
            f"G={held.generation} of {held.family}, {held.flags=}"
            if held
            else f"{self.before and self.before.is_current}"
        )
        outcome = self.made.place if self.made else self.failure and (self.failure.reason, self.failure.metadata)
        return f"({known}) {who} presents {self.token.place}: {outcome}"

    @property
    def cause(self) -> str:
        """Why a step-up is demanded."""
        if self.failure is None or self.failure.reason != "STEP_UP_REQUIRED":
            return ""
        return self.failure.metadata.get("cause", "?")


def check_refresh(world: World, call: Call) -> None:
    """All that can be said of one refresh."""
    store_away_means_unavailable(world, call)
    nobody_is_logged_out(world, call)
    no_needless_step_up(call)
    one_id_and_one_successor(call)
    what_ended_stays_ended(call.session, call.failure)
    only_current_records_decide(call)
    no_proof_no_change(world, call)
    rotations_keep_their_distance(call)
    strict_accepts_once(call)
    generations_do_not_fall(call)
    long_replaced_tokens_yield_nothing(world, call)
    a_replay_stops_the_family(call)


def nobody_is_logged_out(world: World, call: Call) -> None:
    """1. No thief, no end: no client is ever refused for good; contested only with unbound copied jars."""
    session, failure = call.session, call.failure
    if failure is None or failure.reason == "UNAVAILABLE" or not session.surely_alive(world.now):
        return
    if session.is_bound and not call.has_proof:
        assert failure.reason == "TOKEN_PROOF_REQUIRED", f"assertion 1: {failure}"
        return
    if session.kind == "ending" and session.may_contest:
        return  # what its policy says
    if session.kind == "strict" and (session.may_contest or session.is_out_of_step):
        return
    assert failure.reason == "STEP_UP_REQUIRED", f"assertion 1: logged out by {failure}"
    assert call.cause in _CAUSES, f"assertion 1: {failure}"
    if call.cause in {"CONTESTED", "REPLAYED", "PRINT_CHANGED"}:
        assert session.may_contest, f"assertion 1: {call.cause} without a second jar"
        assert not session.is_bound, f"assertion 1: {call.cause} of a bound session"
    if call.cause == "FAMILY_OLDER":
        assert session.has_stepped_up, "assertion 1: an older family, and there was no step-up"


def no_needless_step_up(call: Call) -> None:
    """2. One jar, answers not lost, at most two losses: not even a step-up. Bound: not even with lost answers."""
    session = call.session
    if call.cause in {"", "FAMILY_OLDER"} or call.is_thief or session.may_contest:
        return
    if session.is_bound:
        raise AssertionError(f"assertion 2: {call.cause} of a bound session")
    if not session.lost_answers and session.losses <= _FEW_LOSSES:
        raise AssertionError(f"assertion 2: {call.cause} for one jar")


def one_id_and_one_successor(call: Call) -> None:
    """3. `(sid, fam, g)` has one `jti`; a token of g only ever yields g+1 or the current one."""
    if call.made is None:
        return
    known = call.session.issued.get(call.made.place)
    assert known in (None, call.made.jti), f"assertion 3: {call.made.place} has two ids"
    assert call.made.session_id == call.token.session_id
    assert call.made.family == call.token.family
    record = call.after.record if call.after else None
    current = record.generation if record else 0
    assert call.made.generation in {call.token.generation, call.token.generation + 1, current}, "assertion 3"


def what_ended_stays_ended(session: Session, failure: Failure | None) -> None:
    """4. After `ENDED` nothing is accepted, under any loss, rebuild race or slow process."""
    assert failure is not None or session.end != "ENDED", "assertion 4: an ended session's token was accepted"


def store_away_means_unavailable(world: World, call: Call) -> None:
    """5. A store away and its data needed: `UNAVAILABLE`, and the record is bit-identical afterwards."""
    stores = world.pair.stores
    is_needed = not stores.has_redis or (not stores.has_postgresql and call.needs_postgresql)
    if not is_needed or is_told_by_the_token(call) or is_told_by_the_record(world, call):
        return
    assert call.failure is not None, "assertion 5: accepted with a store away"
    assert call.failure.reason == "UNAVAILABLE", f"assertion 5: {call.failure}"
    assert call.failure.retry_after, "assertion 5: nothing says when to come back"
    unspent(world, call)


def is_told_by_the_record(world: World, call: Call) -> bool:
    """Its deadlines have passed: nothing else has to be known."""
    if call.before is None or call.before.record is None or call.session.surely_alive(world.now):
        return False
    return call.failure is not None and call.failure.metadata.get("endReason", "") in _TIMEOUTS


def unspent(world: World, call: Call) -> None:
    """What is unavailable spends nothing."""
    if not call.session.surely_alive(world.now):
        return  # the sweeper may have come by
    if call.before is not None and call.after is not None and call.before.lineage == call.after.lineage:
        assert call.before == call.after, f"assertion 5: UNAVAILABLE has changed {call.before} to {call.after}"


def was_spent(call: Call) -> bool:
    """There was no answer, and the record has changed all the same: as if a good answer had been lost on its way."""
    before, after = (raw.record if raw else None for raw in (call.before, call.after))
    is_unavailable = call.failure is not None and call.failure.reason == "UNAVAILABLE"
    return bool(is_unavailable and before and after and before.generation != after.generation)


def is_told_by_the_token(call: Call) -> bool:
    """The token says itself that it is over, or that a proof is missing: no store has to be asked."""
    reason = call.failure.reason if call.failure else ""
    return reason == "TOKEN_INVALID" or (reason == "TOKEN_PROOF_REQUIRED" and not call.has_proof)


def generations_do_not_fall(call: Call) -> None:
    """6. Without loss G never falls."""
    before, after = (raw.record if raw else None for raw in (call.before, call.after))
    if before and after:
        assert (after.family, after.generation) >= (before.family, before.generation), "assertion 6: G fell"


def bounds_are_true(session: Session, row: dict[str, int], *, has_record_of: int | None, is_flushed: bool) -> None:
    """6. lb ≤ the highest G issued; PostgreSQL up and 1 s after a rotation: lb = G."""
    place = (row["family"], row["generation_bound"])
    assert place <= session.highest, f"assertion 6: the bound {place} was never issued"
    if is_flushed and has_record_of is not None:
        assert row["generation_bound"] == has_record_of, "assertion 6: the bound is behind"


def only_current_records_decide(call: Call) -> None:
    """7. No decision comes from a record whose stamp is not the lineage."""
    if call.after is not None and call.made is not None:
        assert call.after.is_current, "assertion 7: accepted, and the record is of another node"


def no_proof_no_change(world: World, call: Call) -> None:
    """8. No proof: a bound record is unchanged."""
    if not call.session.is_bound or call.has_proof:
        return
    assert call.made is None, "assertion 8: accepted without a proof"
    if not call.session.surely_alive(world.now):
        return  # the sweeper may have come by
    if call.before is not None and call.after is not None and call.before.is_current:
        assert call.before.value == call.after.value, "assertion 8: the record has changed"


def rotations_keep_their_distance(call: Call) -> None:
    """9. Without loss, two rotations of one family are at least D apart, the first after a beginning excepted."""
    before, after = (raw.record if raw else None for raw in (call.before, call.after))
    if not before or not after or call.session.kind == "strict" or before.family != after.family:
        return
    if (
        after.generation > before.generation
        and before.flags & BY_ROTATION
        and call.token.generation <= before.generation
    ):
        assert after.made - before.made >= LEAST_DEBOUNCE, f"assertion 9: {after.made - before.made} s apart"
        assert after.generation == before.generation + 1


def strict_accepts_once(call: Call) -> None:
    """10. Strict, without loss: no generation is ever accepted twice."""
    session = call.session
    if session.kind != "strict" or call.made is None or call.made.place == call.token.place:
        return
    assert call.token.place not in session.spent or session.losses, "assertion 10: accepted twice"
    session.spent.add(call.token.place)


def long_replaced_tokens_yield_nothing(world: World, call: Call) -> None:
    """What was replaced more than a grace ago is accepted from nobody who cannot prove the key."""
    session = call.session
    if call.made is None or session.is_bound or session.bounds_lost:
        return
    replaced = session.replaced.get(call.token.place)
    if replaced is not None:
        assert world.now - replaced <= world.grace + _ROUNDING, "a long-replaced token was accepted"


def a_replay_stops_the_family(call: Call) -> None:
    """A token two or more behind, unbound: nobody goes on who doesn't prove themselves. Strict: one behind will do."""
    session, record = call.session, call.before.record if call.before else None
    if record is None or record.state != ACTIVE or session.is_bound or call.token.family != record.family:
        return
    if record.generation - call.token.generation < (1 if session.kind == "strict" else 2):
        return
    assert call.failure is not None, "a replay was accepted"
    if call.failure.reason == "STEP_UP_REQUIRED":
        held = call.after.record if call.after else None
        assert held is not None, "a replay, and there is no record"
        assert held.state == CONTESTED, "a replay did not contest the session"
    else:
        assert call.failure.reason in {"SESSION_ENDED", "TOKEN_INVALID", "UNAVAILABLE"}


def check_verified(world: World, session: Session, failure: Failure | None, *, has_proof: bool) -> None:
    """What can be said of an access token that is not over, of the newest family."""
    what_ended_stays_ended(session, failure)
    if failure is None:
        assert not session.contested, "a contested session's access token was accepted"
        assert has_proof or not session.is_bound, "assertion 8: accepted without a proof"
        return
    if not world.has_all and failure.reason == "UNAVAILABLE":
        return
    if not session.surely_alive(world.now):
        return
    if session.is_bound and not has_proof:
        assert failure.reason == "TOKEN_PROOF_REQUIRED"
    elif session.may_contest or session.has_stepped_up or (session.kind == "strict" and session.is_out_of_step):
        assert failure.reason == "STEP_UP_REQUIRED" or session.kind in {"strict", "ending"}, f"assertion 1: {failure}"
    else:
        raise AssertionError(f"assertion 1: an access token of a good session was refused: {failure}")
