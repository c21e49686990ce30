"""Random cases for the functions that have a twin in Rust: mostly near the edges of the table's rows."""

from dataclasses import dataclass, replace
from random import Random
from typing import Any

from tests.support.records import ACTIVE, BOUND, BY_ROTATION, CONTESTED, REBUILT, Record, tombstone, user_record

GRACE, DEADLINE, IDLE, LIFE = 30, 10, 3600, 86_400
# Ages at which a row begins or ends, and some that are nobody's.
_AGES = (-5, 0, 1, GRACE - 1, GRACE, GRACE + 1, GRACE + DEADLINE - 1, GRACE + DEADLINE, GRACE + DEADLINE + 1, 500)
_EXTREMES = (0, 1, 2**31, 2**32 - 1)
_ATTEMPTS = (bytes(4), b"try1", b"try2")
_PRINTS = (bytes(4), b"\1\1\0\0", b"\2\2\0\0", b"\0\0\1\1", b"\0\0\2\2", b"\1\1\1\1", b"\1\1\2\2", b"\2\2\1\1")

Argument = int | bytes


@dataclass(frozen=True, slots=True)
class Case:
    """What two keys hold (empty: nothing), and what each function is asked."""

    session: bytes
    user: bytes
    rotate: list[Argument]
    touch: tuple[int, int, int, int]
    absolute_max: int
    rebuild: tuple[bytes, bytes]


def make_case(random: Random, now: int, lineage: bytes) -> Case:
    """A case around a moment.

    Args:
        random: Where the choices come from.
        now: Time of the node, seconds since 1970.
        lineage: Lineage of the node.
    """
    record = _record(random, now, lineage)
    idle = _rarely(random, random.choice(_EXTREMES), otherwise=random.choice((60, IDLE, 5 * IDLE)))
    longest = _rarely(random, random.choice(_EXTREMES), otherwise=random.choice((LIFE, LIFE, LIFE, 2000, 10 * LIFE)))
    active = random.choice((0, now, now - 1, now + 30, now - 200, record.idle_deadline))
    return Case(
        session=_spoilt(random, _session(random, record, now)),
        user=_spoilt(random, _user(random, record, lineage)),
        rotate=_presented(random, record, now, idle, longest),
        touch=(active, idle, longest, random.choice((0, 0, now - 50, record.idle_deadline - idle + 1)) % 2**32),
        absolute_max=longest,
        rebuild=_known(random, record, now, lineage),
    )


def _record(random: Random, now: int, lineage: bytes) -> Record:
    created = now - random.choice((0, 1, 100, 1999, 2000, 2001, 5000))
    absolute = created + LIFE if random.random() < 0.95 else now + random.choice((-1, 0, 1))
    idle = now + random.choice((IDLE, IDLE, 3000, 179, 1, 0, -1, LIFE))
    record = Record(
        state=CONTESTED if random.random() < 0.05 else ACTIVE,
        flags=(BOUND if random.random() < 0.2 else 0)
        | (BY_ROTATION if random.random() < 0.7 else 0)
        | (REBUILT if random.random() < 0.5 else 0),
        lineage=lineage if random.random() < 0.96 else bytes(8),
        family=random.choice((1, 2, 2, 2, 3)),
        generation=_rarely(random, random.choice(_EXTREMES), otherwise=random.randint(1, 9)),
        made=now - random.choice(_AGES),
        attempt=random.choice(_ATTEMPTS),
        print=random.choice(_PRINTS),
        created=created,
        idle_deadline=min(idle, absolute),
        absolute_deadline=absolute,
    )
    if random.random() < 0.02:
        name = random.choice(("made", "created", "idle_deadline", "absolute_deadline", "family"))
        extreme: dict[str, Any] = {name: random.choice(_EXTREMES)}
        record = replace(record, **extreme)
    return record


def _session(random: Random, record: Record, now: int) -> bytes:
    choice = random.random()
    if choice < 0.02:
        return b""
    if choice < 0.05:
        return tombstone(record.lineage, random.randint(0, 14), now - 10)
    return record.pack()


def _user(random: Random, record: Record, lineage: bytes) -> bytes:
    if random.random() < 0.9:
        return user_record(lineage, not_before=random.choice((0, 0, 0, 0, record.created - 1 if record.created else 0)))
    own = lineage if random.random() < 0.7 else b"elsewher"
    return random.choice((b"", user_record(own, disabled=1), user_record(own, not_before=record.created)))


def _presented(random: Random, record: Record, now: int, idle: int, longest: int) -> list[Argument]:
    behind = random.choice((0, 0, 0, 1, 1, 1, 2, 3, -1, -2))
    strict = random.random() < 0.15
    return [
        record.family if random.random() < 0.9 else random.choice((1, 2, 3)),
        min(max(record.generation - behind, 0), 2**32 - 1),
        _rarely(random, random.choice(_EXTREMES), otherwise=now - random.choice(_AGES)),
        int(random.random() < 0.5),
        random.choice(_ATTEMPTS),
        random.choice(_PRINTS),
        GRACE,
        DEADLINE,
        int(strict),
        int(random.random() < 0.85),
        int(random.random() < 0.3),
        int(random.random() < 0.6),
        idle,
        longest,
        random.choice((0, 0, 0, 0, 0, record.created - 1 if record.created else 0, record.created)),
    ]


def _known(random: Random, record: Record, now: int, lineage: bytes) -> tuple[bytes, bytes]:
    """(lineage that was read, what PostgreSQL knows), near to what the key holds."""
    expected = lineage if random.random() < 0.95 else b"restart!"
    if random.random() < 0.15:
        return expected, tombstone(bytes(8), random.randint(0, 14), now - 7)
    known = replace(
        record,
        state=CONTESTED if random.random() < 0.1 else ACTIVE,
        flags=random.randint(0, 7),
        lineage=bytes(8),
        family=random.choice((record.family, record.family, 1, 2, 3)),
        generation=min(max(record.generation + random.choice((-2, -1, 0, 0, 1, 2)), 0), 2**32 - 1),
        made=now - random.choice(_AGES),
        attempt=bytes(4),
        print=bytes(4),
        idle_deadline=random.choice((record.idle_deadline, now + 100, now + IDLE)),
    )
    return expected, known.pack()


def _spoilt(random: Random, value: bytes) -> bytes:
    """The value, now and then cut, prolonged, or with a changed head."""
    if not value or random.random() > 0.02:
        return value
    head = bytes([random.choice((0, 1, 2, 255)), random.choice((0, 1, 2, 3, 4)), random.choice((0, 3, 7, 8, 255))])
    return random.choice((value[:-1], value + b"\0", value[:14], value[:15], head + value[3:]))


def _rarely(random: Random, extreme: int, *, otherwise: int) -> int:
    return extreme if random.random() < 0.01 else otherwise
