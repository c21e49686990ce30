"""The calls that are measured: every class of verdict, a plain compare-and-set beside it, and some parts alone."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from argus import _core
from tests.support.records import BY_ROTATION, Record, user_record
from tests.support.valkey import Valkey

Argument = bytes | int | str
Command = tuple[Argument, ...]

PLAIN: Final = "plain compare-and-set"
ROTATED: Final = "rotate: rotated"
_SESSION, _USER, _VALUE = "a1:s:{0b0b}:bench", "a1:u:{0b0b}:t:bench", "bench:{0b0b}:value"
_NOT_BEFORE: Final = "a1:nb:{0b0b}"
_GRACE, _DEADLINE, _IDLE, _LIFE = 30, 10, 3600, 86_400
_FAMILY, _GENERATION = 2, 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One kind of call.

    Attributes:
        prepare: Sets the keys; answers the commands of a batch of so many calls.
        verdict: First element of every answer (the answer itself, where it is a number); None: not looked at.
    """

    name: str
    prepare: Callable[[Valkey, int], Sequence[Command]]
    verdict: int | None = None


def load(valkey: Valkey) -> None:
    """Loads what the functions are held against."""
    source = (Path(__file__).parent / "plain.lua").read_text(encoding="utf-8")
    valkey.client.function_load(source, replace=True)


def _record(valkey: Valkey, *, age: int) -> None:
    now_ms, lineage = valkey.now_and_lineage()
    now = now_ms // 1000
    record = Record(
        family=_FAMILY,
        generation=_GENERATION,
        flags=BY_ROTATION,
        made=now - age,
        created=now - 5000,
        idle_deadline=now + _IDLE,
        absolute_deadline=now + _LIFE,
        lineage=lineage,
    )
    valkey.client.set(_SESSION, record.pack(), ex=_LIFE)
    valkey.client.set(_USER, user_record(lineage))


def _rotate(valkey: Valkey, *, family: int = _FAMILY, generation: int = _GENERATION, strict: bool = False) -> Command:
    issued = valkey.now_and_lineage()[0] // 1000 - 100
    token = (family, generation, issued, 0, b"try1", b"\1\1\2\2")
    policy = (_GRACE, _DEADLINE, int(strict), 1, 0, 1, _IDLE, _LIFE, 0)
    return ("FCALL", _core.function_name("rotate"), 2, _SESSION, _USER, *token, *policy)


def _rotations(valkey: Valkey, count: int) -> list[Command]:
    # Strict, where every call rotates: the same work as that of the first refresh, again and again.
    _record(valkey, age=100)
    return [_rotate(valkey, generation=_GENERATION + number, strict=True) for number in range(count)]


def _again(*, age: int, family: int = _FAMILY, behind: int = 0) -> Callable[[Valkey, int], list[Command]]:
    def prepare(valkey: Valkey, count: int) -> list[Command]:
        _record(valkey, age=age)
        return [_rotate(valkey, family=family, generation=_GENERATION - behind)] * count

    return prepare


def _compare_and_set(valkey: Valkey, count: int) -> list[Command]:
    values = [f"{number:0>99}" for number in range(count + 1)]
    valkey.client.set(_VALUE, values[0], ex=_LIFE)
    return [("FCALL", "bench_compare_and_set", 1, _VALUE, values[n], values[n + 1]) for n in range(count)]


def _compare_only(valkey: Valkey, count: int) -> list[Command]:
    valkey.client.set(_VALUE, "0" * 99, ex=_LIFE)
    return [("FCALL", "bench_compare_and_set", 1, _VALUE, "1" * 99, "2" * 99)] * count


def _look(valkey: Valkey, count: int) -> list[Command]:
    """What a refresh reads first: one round trip of three calls, each counted."""
    _record(valkey, age=1)
    read = ("FCALL_RO", _core.function_name("read"), 2, _SESSION, _USER)
    stamped = ("FCALL_RO", _core.function_name("stamped"), 1, _NOT_BEFORE)
    return [read, stamped, stamped] * (count // 3)


def _part(name: str) -> Callable[[Valkey, int], list[Command]]:
    return lambda _, count: [("FCALL", name, 1, _VALUE)] * count


CASES: Final = (
    Case(name=PLAIN, prepare=_compare_and_set, verdict=1),
    Case(name=ROTATED, prepare=_rotations, verdict=0),
    Case(name="plain compare, not equal", prepare=_compare_only, verdict=0),
    Case(name="rotate: repeated (debounce)", prepare=_again(age=1), verdict=1),
    Case(name="rotate: current (one behind, in the grace)", prepare=_again(age=1, behind=1), verdict=2),
    Case(name="rotate: refused (older family)", prepare=_again(age=1, family=1), verdict=30),
    Case(name="read + 2 × stamped, per call", prepare=_look),
    Case(name="alone: a call with nothing in it", prepare=_part("bench_nothing"), verdict=0),
    Case(name="alone: lineage (INFO replication)", prepare=_part("bench_info")),
    Case(name="alone: TIME", prepare=_part("bench_time")),
)
