"""What would have made room under limits is what the function of Redis decides: `limit_order` is its twin."""

import hashlib
import random
from typing import Final

import pytest

from argus._core import aged_trust
from argus.base.device_classes import DEVICE_CLASSES
from argus.sessions.limit_order import Counted, make_room
from argus.sessions.limits import ON_LIMIT, LimitKind, Limits
from tests.support.subject import IDLE, Entry, Subject
from tests.support.valkey import Valkey

ROUNDS: Final = 60
CLIENTS: Final = ("one", "other")
CLASSES: Final = ("desktop", "phone", "unknown")
RESERVED, REACHED, ASKED = 0, 2, 4


def key_of(client: str) -> bytes:
    """How the index names a client."""
    return hashlib.sha256(client.encode()).digest()[:8]


@pytest.mark.parametrize("seed", range(4))
def test_the_twin_lets_in_refuses_and_ends_as_the_function_does(valkey: Valkey, seed: int) -> None:
    """Random sessions, many of them alike in one thing or another, under random limits of each kind."""
    draw = random.Random(seed)  # noqa: S311 - it is to be the same again
    seen: set[int] = set()
    for _ in range(ROUNDS):
        subject = Subject(valkey)
        now = subject.now
        living = [sign_in(subject, draw, now) for _ in range(draw.randint(0, 6))]
        client, kind = draw.choice(CLIENTS), draw.choice(CLASSES)
        user, of_client, of_class = (draw.choice((0, 1, 2, 3, 5)) for _ in range(3))
        limits = Limits(
            on_limit=draw.choice(ON_LIMIT), user=user, client=of_client, device_class=kind, of_class=of_class
        )
        entry = Entry(moment=now * 1000, client=key_of(client), device_class=DEVICE_CLASSES.index(kind), active=now)
        status, *answer = subject.reserve(
            subject.new_id(),
            limit=user,
            of_client=of_client,
            of_class=of_class,
            on_limit=ON_LIMIT.index(limits.on_limit),
            entry=entry,
        )
        room = make_room(limits, client, living)
        seen.add(status)
        if status == RESERVED:
            assert room.reached is None
            assert room.victims == {victim: LimitKind(by) for victim, by in zip(answer[::2], answer[1::2], strict=True)}
        else:
            assert status == (ASKED if limits.on_limit == "ask_user" else REACHED)
            assert room.reached is not None
            assert (room.reached.kind, room.reached.most) == (answer[0], answer[1])
    assert seen == {RESERVED, REACHED, ASKED}


def sign_in(subject: Subject, draw: random.Random, now: int) -> Counted:
    """A session, and what is known of it afterwards."""
    client, kind = draw.choice(CLIENTS), draw.choice(CLASSES)
    created = now - draw.choice((10, 20, 30, 3000))
    used = min(now, created + draw.choice((0, 10, 20)))
    trust, rated = draw.choice((10, 30, 60)), draw.choice((created, used))
    entry = Entry(
        moment=created * 1000,
        client=key_of(client),
        device_class=DEVICE_CLASSES.index(kind),
        trust=trust,
        rated=rated,
        active=created,
    )
    session_id = subject.sign_in(entry, created=created, idle_deadline=used + IDLE)
    return Counted(
        session_id=session_id,
        client_id=client,
        device_class=kind,
        moment=created * 1000,
        used=used,
        trusted=aged_trust(trust, max(now - rated, 0)),
    )
