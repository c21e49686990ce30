"""The Redis functions and their twins in Rust decide alike, byte for byte."""
# ruff: noqa: S311 - random cases are no secrets

import os
from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from argus import _core
from tests.stores.rotation_cases import Case, make_case
from tests.support.valkey import Valkey

SESSION, USER, INDEX = "a1:s:{07e1}:twin", "a1:u:{07e1}:t:twin", "a1:x:{07e1}:t:twin"
VERDICTS = {*range(4), *range(10, 14), *range(20, 26), *range(30, 36)}
BATCH = 500
# `make twin` runs a million.
CASES = int(os.environ.get("ARGUS_TWIN_CASES", "50000"))


def seeded() -> tuple[Random, int]:
    """Random choices, and the seed that makes them again (`ARGUS_TWIN_SEED`)."""
    seed = int(os.environ.get("ARGUS_TWIN_SEED", "0")) or Random().getrandbits(32)
    return Random(seed), seed


def run(valkey: Valkey, cases: Sequence[Case], function: str, keys: Sequence[str]) -> list[tuple[list[Any], bytes]]:
    """Calls a function on each case; returns its answer and what the session's key holds then."""
    pipe: Any = valkey.client.pipeline(transaction=False)
    name = _core.function_name(function)
    for case in cases:
        args = {
            "rotate": case.rotate,
            "touch": case.touch,
            "rebuild": (*case.rebuild, 600),
            "expire": ("twin", 0, case.absolute_max, 600),
        }[function]
        for key, value in ((SESSION, case.session), (USER, case.user)):
            pipe.execute_command(*(("SET", key, value, "EX", 600) if value else ("DEL", key)))
        pipe.execute_command("FCALL", name, len(keys), *keys, *args)
        pipe.execute_command("GET", SESSION)
    answers = pipe.execute()
    return [(answers[at], answers[at + 1] or b"") for at in range(2, len(answers), 4)]


def agree_on_rotate(valkey: Valkey, cases: Sequence[Case]) -> tuple[Counter[int], Counter[int]]:
    """Both decide alike on every case; counts the verdicts, and the adoptions."""
    verdicts: Counter[int] = Counter()
    adoptions: Counter[int] = Counter()
    for case, (answer, stored) in zip(cases, run(valkey, cases, "rotate", [SESSION, USER]), strict=True):
        verdict, now_ms, lineage, record, adopted = answer
        twin = _core.rotation_twin(case.session, case.user, lineage, case.rotate, now_ms)
        assert (verdict, record, adopted) == twin, case
        assert stored == (record or case.session), case
        verdicts[verdict] += 1
        adoptions[adopted] += 1
    return verdicts, adoptions


def agree_on_deadlines(valkey: Valkey, cases: Sequence[Case]) -> Counter[str]:
    """Both see the same use or end in every case; counts the statuses."""
    statuses: Counter[str] = Counter()
    for case, (answer, stored) in zip(cases, run(valkey, cases, "touch", [SESSION, USER]), strict=True):
        status, now_ms, lineage, record = answer
        twin = _core.touch_twin(case.session, case.user, lineage, case.touch, now_ms)
        assert (status, record) == twin, case
        assert stored == (record or case.session), case
        statuses[f"touch {status}"] += 1
    for case, (answer, stored) in zip(cases, run(valkey, cases, "expire", [SESSION, USER, INDEX]), strict=True):
        status, now_ms, lineage, *_ = answer
        expected, after = _core.expire_twin(case.session, lineage, case.absolute_max, now_ms)
        assert (status, stored) == (expected, after or case.session), case
        statuses[f"expire {status}"] += 1
    return statuses


def agree_on_rebuild(valkey: Valkey, cases: Sequence[Case]) -> Counter[str]:
    """Both write the same; counts the statuses."""
    statuses: Counter[str] = Counter()
    for case, (answer, stored) in zip(cases, run(valkey, cases, "rebuild", [SESSION]), strict=True):
        status, _, lineage = answer
        expected, given = case.rebuild
        assert (status, stored) == _core.rebuild_twin(case.session, lineage, expected, given), case
        statuses[f"rebuild {status}"] += 1
    return statuses


def cases_of(random: Random, valkey: Valkey, count: int) -> list[Case]:
    """Cases around the node's present."""
    now_ms, lineage = valkey.now_and_lineage()
    return [make_case(random, now_ms // 1000, lineage) for _ in range(count)]


def _said(counts: Counter[int]) -> dict[int, int]:
    return dict(sorted(counts.items()))


@pytest.mark.timeout(3600)
def test_rotate_and_its_twin_agree_and_every_verdict_is_met(valkey: Valkey) -> None:
    """Many random (record, token, time): the same verdict, record and adoption; no row of the table is left out."""
    random, seed = seeded()
    verdicts: Counter[int] = Counter()
    adoptions: Counter[int] = Counter()
    for _ in range(max(1, CASES // BATCH)):
        agreed = agree_on_rotate(valkey, cases_of(random, valkey, BATCH))
        verdicts += agreed[0]
        adoptions += agreed[1]
    server = valkey.client.info("server").get("server_name", "redis")
    print(f"{server}, seed {seed}: {sum(verdicts.values())} cases, {_said(verdicts)}; adopted {_said(adoptions)}")  # noqa: T201
    assert (set(verdicts), set(adoptions)) == (VERDICTS, {0, 1, 2}), seed
    assert min(*verdicts.values(), *adoptions.values()) >= CASES // 1000, seed


@pytest.mark.timeout(3600)
def test_the_other_functions_and_their_twins_agree(valkey: Valkey) -> None:
    """touch, expire, rebuild: the same statuses and values; all of them are met."""
    random, seed = seeded()
    statuses: Counter[str] = Counter()
    for _ in range(max(1, CASES // 10 // BATCH)):
        cases = cases_of(random, valkey, BATCH)
        statuses += agree_on_deadlines(valkey, cases) + agree_on_rebuild(valkey, cases)
    print(f"seed {seed}: {dict(sorted(statuses.items()))}")  # noqa: T201
    all_of = {"touch": 5, "expire": 5, "rebuild": 3}
    assert set(statuses) == {f"{name} {status}" for name, count in all_of.items() for status in range(count)}, seed


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(random=st.randoms(use_true_random=False))
def test_rotate_and_its_twin_agree_on_what_hypothesis_finds(valkey: Valkey, random: Random) -> None:
    """The same law; a case that breaks it is made small."""
    agree_on_rotate(valkey, cases_of(random, valkey, 1))


def test_a_moved_clock_moves_the_decision(valkey: Valkey) -> None:
    """The offset that tests load reaches the function's time, not that of the server."""
    try:
        valkey.load(offset_ms=100_000_000)
        ahead, lineage = valkey.now_and_lineage()
        seconds, _ = valkey.client.time()
        assert ahead // 1000 - seconds in (100_000, 100_001)
        assert agree_on_rotate(valkey, [make_case(Random(seed), ahead // 1000, lineage) for seed in range(BATCH)])
    finally:
        valkey.load()
