"""Random policies over recorded histories: what a simulation says is what another live run of the same script did."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any, Final

import pytest
from google.protobuf.json_format import MessageToDict

from argus.policies.resolve import SCOPE_KINDS
from argus.policies.simulation_model import compare
from argus.v1 import policy_service_pb2 as pb
from tests.support.lockstep import STEPS, Run, random_document, script
from tests.support.moments import move_to, now

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from argus.policies.model import ScopeKind
    from argus.sessions.model import EndReason
    from tests.support.stack import Stack

    End = tuple[datetime, EndReason] | None

# The two runs act one after the other: so far apart are their instants at most.
APART: Final = timedelta(seconds=60)
SEEDS: Final = 12
# One in so many may depend on what is not recorded.
MOST_UNKNOWN: Final = 3
LEVELS: Final = ("STEP_UP_REQUIRED",)


@pytest.mark.parametrize("seed", range(SEEDS))
@pytest.mark.parametrize("is_late", [False, True], ids=["before the first", "midway"])
async def test_a_simulation_says_of_each_event_and_end_what_a_live_run_did(
    stack: Stack, seed: int, is_late: bool
) -> None:
    """Both tenants at the same times; other scopes, set anew on the way and once more after it, count as they were.

    The candidate is set before the first session begins, or midway, under sessions that live. What the recorded run has
    no trace of the other does not do: a session that began in one of them alone is not used.
    """
    draw = random.Random(seed)  # noqa: S311 - it is to be the same again
    kind = SCOPE_KINDS[seed % len(SCOPE_KINDS)]
    recorded, live = await Run.begin(stack), await Run.begin(stack)
    before, candidate = random_document(draw), random_document(draw)
    for run in (recorded, live):
        await run.set(kind, before)
    first = STEPS // 2 if is_late else 0
    begun, over = now(stack), set[int]()
    for number, step in enumerate(script(draw, kind)):
        if number == first:
            begun = now(stack)
            over = {of for of, end in (await recorded.ends(begun)).items() if end is not None}
            await live.set(kind, candidate)
        if await step(recorded):
            await step(live)
        if draw.random() < 0.5:
            away = draw.randint(120, 240) if draw.random() < 0.5 else draw.randint(1000, 14000)
            await move_to(stack, now(stack) + timedelta(seconds=away))
            await stack.argus.sweeper.sweep()
    await move_to(stack, now(stack) + timedelta(minutes=1))
    until = now(stack)
    for one in SCOPE_KINDS:
        await recorded.set(one, {})
    found = await simulated(recorded, kind, candidate, begun, until)
    check_sign_ins(found, await recorded.decided(begun), await live.decided(begun))
    check_refreshes(found, recorded, live, first)
    was, did = await recorded.ends(until), await live.ends(until)
    check_sessions(found, recorded, live, without(was, over), without(did, over))


def check_sign_ins(found: pb.PolicySimulation, was: list[dict[str, Any]], did: list[dict[str, Any]]) -> None:
    """Each is what the live run decided, or is said not to be known."""
    assert len(was) == len(did) == found.examined_count
    would = [compare(one, other)[0] for one, other in zip(was, did, strict=True)]
    unknown = check_counts({one.label: one.count for one in found.outcomes}, Counter(would))
    differing = [other for label, other in zip(would, did, strict=True) if label != "SAME"]
    told = [MessageToDict(one.would) for one in found.findings]
    if not unknown:
        assert told == differing
    assert all(one in differing for one in told)


def without(ends: Mapping[int, End], steps: set[int]) -> dict[int, End]:
    """Those of other steps."""
    return {step: end for step, end in ends.items() if step not in steps}


def check_refreshes(found: pb.PolicySimulation, recorded: Run, live: Run, first: int) -> None:
    """Those that were refused in the recorded run, too."""
    would = [label_of(was, live.refreshed.get(step)) for step, was in recorded.refreshed.items() if step >= first]
    check_counts({one.label: one.count for one in found.refreshes}, Counter(would))


def label_of(was: str, did: str | None) -> str:
    """What became of a refresh in the live run, beside what did in the recorded one; None: there was no session."""
    kinds = {"": "good", "STEP_UP_REQUIRED": "level", "SESSION_ENDED": "over", None: "over"}
    before, after = kinds[was], kinds[did]
    if before == after:
        return "SAME"
    return {"good": "ALLOW", "level": "STEP_UP", "over": "ENDED"}[after]


def check_sessions(
    found: pb.PolicySimulation, recorded: Run, live: Run, was: Mapping[int, End], did: Mapping[int, End]
) -> None:
    """Whether each began, when it ended and why."""
    told = {one.session: one for one in found.session_findings}
    expected: dict[int, tuple[str, str]] = {}
    for step in was.keys() | did.keys():
        if step not in was or step not in did:
            expected[step] = ("BEGINS" if step in did else "NEVER_BEGINS", "")
        else:
            expected[step] = ended(was[step], did[step]) or stepped(step, recorded, live)
            one = told.get(recorded.made[step].name)
            if one is not None and ended(was[step], did[step]) is None and is_as_told(one, did[step]):
                expected[step] = (one.label, one.reason)  # no further apart than the runs
    check_counts(
        {(one.label, one.reason): one.count for one in found.sessions}, Counter(expected.values()), ("NOT_KNOWN", "")
    )
    steps = {made.name: step for step, made in recorded.made.items()}
    for one in found.session_findings:
        if one.label not in ("ENDS_EARLIER", "LIVES_ON"):
            continue
        step = steps[one.session]
        assert (one.label, one.reason) == expected[step], (one, was[step], did[step])
        assert is_as_told(one, did[step]), (one, was[step], did[step])


def is_as_told(one: pb.SimulatedSession, end: End) -> bool:
    """Whether it ended when and why the simulation says."""
    if end is None or not one.HasField("would_end_time"):
        return end is None and not one.HasField("would_end_time")
    first, last = (time.ToDatetime(tzinfo=UTC) for time in (one.would_end_time, one.would_end_latest_time))
    return first - APART <= end[0] <= last + APART and one.reason in ("", end[1].name)


def ended(was: End, did: End) -> tuple[str, str] | None:
    """How an end differs from the recorded one; None: not at all."""
    reason = did[1].name if did is not None else ""
    if did is not None and (was is None or did[0] < was[0] - APART):
        return "ENDS_EARLIER", reason
    return ("LIVES_ON", reason) if was is not None and (did is None or did[0] > was[0] + APART) else None


def stepped(of: int, recorded: Run, live: Run) -> tuple[str, str]:
    """Whether a refresh of a session was asked for more."""
    asked = any(
        live.refreshed.get(step) in LEVELS and was not in LEVELS
        for step, was in recorded.refreshed.items()
        if recorded.refreshed_of[step] == of
    )
    return ("STEP_UP", "ACR") if asked else ("SAME", "")


def check_counts(found: dict[Any, int], expected: Counter[Any], unknown: Any = "NOT_KNOWN") -> int:
    """Holds that nothing was said that is not so; answers how many are not known."""
    known = {label: count for label, count in found.items() if label != unknown}
    assert all(count <= expected[label] for label, count in known.items()), (found, expected)
    missing = sum(expected.values()) - sum(known.values())
    # It may not be known of one whether it would have been at all.
    assert missing <= found.get(unknown, 0), (found, expected)
    assert missing * MOST_UNKNOWN <= max(sum(expected.values()), MOST_UNKNOWN), (found, expected)
    return missing


async def simulated(
    run: Run, kind: ScopeKind, candidate: dict[str, Any], begun: datetime, until: datetime
) -> pb.PolicySimulation:
    """The candidate, tried on what the run has recorded."""
    scope = run.scope(kind)
    where = {"tenant": "", "client": "clients/other/", "group": "groups/staff/", "user": f"users/{scope.id}/"}
    policy = pb.Policy(name=f"{run.api.parent}/{where[kind]}policy")
    policy.document.update(candidate)
    request = pb.SimulatePolicyRequest(parent=run.api.parent, candidate=policy)
    request.begin_time.FromDatetime(begun)
    request.end_time.FromDatetime(until)
    started = (await run.api.policies.SimulatePolicy(request)).simulation
    while True:
        await run.stack.argus.policy_simulations.run_due()
        reading = pb.GetPolicySimulationRequest(name=started.name)
        found = (await run.api.policies.GetPolicySimulation(reading)).simulation
        if found.HasField("finish_time"):
            return found
