"""J04 through the engine and the gRPC call: good at a limit, refused beyond it, and that costs next to nothing."""

import time

import pytest

from tests.support.carried import Attacks, Target
from tests.support.doors import Door
from tests.support.vectors import encode, pkcs8

LONGEST = 8192
DEEPEST = 16
WIDEST = 256


def nested(depth: int) -> str:
    """A member that makes the claims so deep."""
    return "[" * (depth - 1) + "]" * (depth - 1)


def wide(count: int, element: str) -> str:
    """A list of so many elements."""
    return f"[{','.join([element] * count)}]"


def of_length(attacks: Attacks, target: Target, length: int) -> str:
    """A good token of so many bytes."""
    for filler in range(length):
        token = attacks.sign(target, f'"{"x" * (length * 3 // 4 - 1000 + filler)}"')
        if len(token) == length:
            return token
        assert len(token) < length, "no token has this length"
    raise AssertionError("unreachable")


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        (nested(DEEPEST), ""),
        (nested(DEEPEST + 1), "json"),
        ('{"a":' * 2000 + "1" + "}" * 2000, "size"),
        ("18446744073709551615", ""),
        ("18446744073709551616", "json"),
        ("-9223372036854775808", ""),
        ("-9223372036854775809", "json"),
        ("0.1234567890123456789", ""),
        ("0.12345678901234567890", "json"),
        ("1e308", ""),
        ("1e309", "json"),
        ("1e-99999999999999999999", "json"),
        (wide(WIDEST - 30, "0"), ""),
        (wide(WIDEST, "0"), "json"),
        (wide((WIDEST - 30) // 2, '{"":0}'), ""),
        (wide(WIDEST // 2, '{"":0}'), "json"),
        (f'"{wide(WIDEST, "[]")}"', ""),
    ],
)
async def test_depth_width_and_numbers(attacks: Attacks, door: Door, more: str, fault: str) -> None:
    """In a claim that nobody reads, too."""
    target = await door.target(await door.bring(pkcs8(attacks.key)))
    verdict = await door.present(attacks.sign(target, more))
    assert (verdict.answer is None, verdict.fault) == (not fault, fault)


async def test_size(attacks: Attacks, door: Door) -> None:
    """8 KiB, to the byte."""
    target = await door.target(await door.bring(pkcs8(attacks.key)))
    assert (await door.present(of_length(attacks, target, LONGEST))).answer is None
    assert (await door.present(of_length(attacks, target, LONGEST + 2))).fault == "size"


HOSTILE = {
    "dots": "." * 1_000_000,
    "letters": "A" * 1_000_000,
    "a long signature": "A.B." + "C" * 1_000_000,
    "objects": f"{encode(b'{' * 6000)}.e30.AA",
    "arrays": f"{encode(b'[' * 6000)}.e30.AA",
    "a long number": f"{encode(b'9' * 6000)}.e30.AA",
    "escapes": encode(b'"' + b"\\u0000" * 1000) + ".e30.AA",
    "small objects": encode(b'{"x":[' + b'{"":0},' * 850 + b"1]}") + ".e30.AA",
    "members": encode(b"{" + b'"a":1,' * 1000) + ".e30.AA",
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_hostile_text_costs_no_more_than_a_good_token(door: Door, name: str) -> None:
    """A hundred of them are refused in the time that a slow machine needs for a hundred signatures."""
    began = time.process_time()
    for _ in range(100):
        assert (await door.present(HOSTILE[name])).answer is not None
    assert time.process_time() - began < 5
