"""The plainest model of rotation: what each holder has, what was issued, and what was promised."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal

from argus.v1 import types_pb2 as types
from tests.support.dpop import DpopClient, certificate
from tests.support.people import Person
from tests.support.presented import RefreshToken

IDLE, ABSOLUTE, GRACE, DEADLINE = 7200, 28_800, 30, 10
PAST_DEBOUNCE: Final = GRACE + DEADLINE + 1
# Another policy that a tenant changes to and fro; the tighter one counts.
SHORT_GRACE, SHORT_ABSOLUTE = 20, 5400
LEAST_DEBOUNCE: Final = SHORT_GRACE + DEADLINE
PAST_SHORT_ABSOLUTE: Final = SHORT_ABSOLUTE + 100
# A use moves the deadline only if that is by a twentieth of the gap; stores count whole seconds.
_IDLE_STEP: Final = IDLE // 20
_ROUNDING: Final = 2

Kind = Literal["resilient", "strict", "ending", "bound"]
End = Literal["", "PENDING", "ENDED"]
Place = tuple[int, int]
Prover = Callable[[int, str], types.Proof]
"""Makes the proof of a key, at a time and for an access token, if any."""


def new_prover(kind: Literal["dpop", "mtls"]) -> Prover:
    """A new key of a client."""
    if kind == "mtls":
        proof, _ = certificate(secrets.token_bytes(8))
        return lambda _now, _token: proof
    client = DpopClient()
    return lambda now, token: client.proof(now=now, access_token=token)


@dataclass(slots=True, eq=False)
class Jar:
    """What a browser, or an app, would present next."""

    token: RefreshToken
    access: str
    access_until: int


@dataclass(slots=True, eq=False)
class Holder:
    """Somebody with tokens of a session: the user, or a thief.

    Attributes:
        context: What can be seen of its device.
        jars: A jar for each copy it keeps; tabs of one browser share one.
    """

    context: types.ClientContext
    jars: list[Jar]
    is_thief: bool = False


@dataclass(slots=True, eq=False)
class Answer:
    """A good answer under way to a jar."""

    jar: Jar
    presented: RefreshToken
    token: RefreshToken
    access: str
    access_until: int
    sent: int


@dataclass(slots=True, eq=False)
class Session:
    """One session.

    Attributes:
        prove: Makes the proofs of the key that it is bound to; None: it is not.
        issued: Id of the token of each family and generation.
        replaced: When a place was first followed by another.
        highest: The newest place that was made.
        spent: Generations that a strict session has accepted.
        used: When it was used last.
        kept: The last use that PostgreSQL surely knows of.
        losses: How often Redis lost data.
        lost_answers: An answer never reached its jar, or too late.
        was_copied: Its token is, or was, in two jars of honest holders.
        was_stolen: A thief has, or had, a token of it, or somebody presented an old one.
        contested: Its family is; False where that mark may have been lost with a store.
        end: How far its end has come, as far as has been said.
        has_stepped_up: It has, or had, another family than its first.
        is_unsure: Something was done to it whose outcome nobody was told.
        is_out_of_step: An answer did not arrive before the next thing happened.
        bounds_lost: Redis lost data while PostgreSQL did not know all bounds.
        is_flushed: What the servers know of it is in PostgreSQL.
    """

    name: str
    kind: Kind
    person: Person
    holders: list[Holder]
    created: int
    prove: Prover | None = None
    issued: dict[Place, str] = field(default_factory=dict)
    replaced: dict[Place, int] = field(default_factory=dict)
    highest: Place = (1, 1)
    spent: set[Place] = field(default_factory=set)
    under_way: list[Answer] = field(default_factory=list)
    old: list[RefreshToken] = field(default_factory=list)
    used: int = 0
    kept: int = 0
    losses: int = 0
    lost_answers: bool = False
    was_copied: bool = False
    was_stolen: bool = False
    contested: bool = False
    has_stepped_up: bool = False
    end: End = ""
    is_unsure: bool = False
    bounds_lost: bool = False
    is_out_of_step: bool = False
    is_flushed: bool = True

    def __str__(self) -> str:
        return f"{self.kind} {self.session_id[-4:]}"

    @property
    def session_id(self) -> str:
        """The last part of its name."""
        return self.name.rpartition("/")[2]

    @property
    def is_bound(self) -> bool:
        """Its tokens are good with a proof only."""
        return self.prove is not None

    @property
    def owner(self) -> Holder:
        """The user."""
        return self.holders[0]

    @property
    def may_contest(self) -> bool:
        """Two hold the same token, so that one of them may look like a thief to the other."""
        return self.was_copied or self.was_stolen

    def surely_alive(self, now: int) -> bool:
        """Nothing has ended it, and no deadline can have passed, whatever use of it was forgotten."""
        until = min(self.kept + SHORT_ABSOLUTE - _IDLE_STEP, self.created + SHORT_ABSOLUTE) - _ROUNDING
        return not self.end and not self.is_unsure and now < until

    def surely_over(self, now: int) -> bool:
        """It was said to have ended, or a deadline has passed."""
        return self.end == "ENDED" or now > min(self.used + IDLE, self.created + ABSOLUTE) + _ROUNDING

    def know(self, token: RefreshToken, now: int) -> None:
        """Takes in that a token was made."""
        if token.place not in self.issued:
            self.issued[token.place] = token.jti
            self.old.append(token)
        if token.place > self.highest:
            self.replaced.setdefault(self.highest, now)
            self.highest = token.place
