"""What must hold after a drill. Each says what it found wrong; nothing means that it holds."""

import asyncio
import contextlib
import time
from collections import Counter
from typing import Any, Final, LiteralString

from argus import _core
from drills.field.parts import StuckError, until
from drills.field.world import GRACE_SECONDS
from drills.load.answers import RETRIED, Answer, Kind
from drills.load.chain import Chain, Life
from drills.load.tokens import RefreshToken
from drills.scene import Drill, Scene

RECOVERY_SECONDS: Final = 10.0
"""UNAVAILABLE is gone within that time."""
STALE_SECONDS: Final = GRACE_SECONDS + 1.0
"""A token replaced longer than that before the fault must not be accepted."""
_BOUNDS_SECONDS: Final = 3.0
_PROBED_CHAINS: Final = 6
_PROBE_PAUSE: Final = 0.3
_LEFT_ALONE: Final = 5
"""One sleeper of so many is left alone, so that its owner's token is the first thing that the stores see."""
_REFRESH_SECONDS: Final = 5.0
_ROWS: Final[LiteralString] = """
    SELECT session_id, state, family, generation_bound FROM sessions WHERE session_id = ANY(%s)"""


def answers(scene: Scene, drill: Drill) -> list[str]:
    """Clients saw nothing but OK and UNAVAILABLE with a retry (and the end of what was ended)."""
    ledger = scene.load.ledger
    found = list(ledger.forbidden)
    if ledger.forbidden_count > len(found):
        found.append(f"… {ledger.forbidden_count} in all")
    if not drill.reaches_clients:
        for kind, meaning in ((Kind.SILENCE, "got no answer"), (Kind.CONNECTION, "lost their connection")):
            if ledger.counts[kind]:
                found.append(f"{ledger.counts[kind]} calls {meaning}, though only stores were broken")
    if not ledger.counts[Kind.OK]:
        found.append("no call was answered at all")
    return found


def recovery(scene: Scene, seconds: float) -> list[str]:
    """No UNAVAILABLE later than 10 s after everything was whole again."""
    if seconds <= RECOVERY_SECONDS:
        return []
    return [f"still {seconds:.1f} s after the recovery: {scene.load.ledger.last_bad_text}"]


async def lives(scene: Scene) -> list[str]:
    """Every session that should live refreshes with the token that its client holds."""
    chains = scene.load.living
    results = await asyncio.gather(*(chain.refresh(give_up=_REFRESH_SECONDS) for chain in chains))
    found = [f"can't be refreshed with {chain.held!r}" for chain, ok in zip(chains, results, strict=True) if not ok]
    return found if chains else ["no session was left to live"]


async def ends(scene: Scene) -> list[str]:
    """Every session that was ended is refused by all servers, by refresh and by verify."""
    client = scene.load.client
    found = [f"{chain.session_id} was never said to be ENDED" for chain in _of(scene, Life.ENDING)]
    asked = [(chain, server) for chain in _of(scene, Life.ENDED) for server in range(client.servers)]
    given = await asyncio.gather(
        *(client.refresh(server, chain.held.text, "", chain.proof()) for chain, server in asked),
        *(client.verify(server, chain.access, chain.proof(chain.access), strong=True) for chain, server in asked),
    )
    found += [
        f"an ended session: {answer.text}"
        for answer in given
        if answer.kind is not Kind.REFUSED or answer.reason != "SESSION_ENDED"
    ]
    return found if asked else [*found, "no session was ended"]


async def one_chain(scene: Scene) -> list[str]:
    """Redis, PostgreSQL and the clients' tokens agree on one chain for each session; a generation has one token."""
    found = _ids(scene.load.chains)
    chains = {chain.session_id: chain for chain in scene.load.living}

    differences: list[str] = []

    async def agree() -> bool:
        nonlocal differences
        records = await scene.world.redis.records(list(chains))
        differences = _differences(chains, records, await _rows(scene, list(chains)))
        return not differences

    # A bound is written within a second (rotation.md, section 3).
    with contextlib.suppress(StuckError):
        await until("Redis, PostgreSQL and clients agree", agree, seconds=_BOUNDS_SECONDS)
    return [*found, *differences]


async def stale_of_sleepers(scene: Scene) -> list[str]:
    """What a sleeper held before is not accepted, by stores that its owner has not yet reminded of anything."""
    asking = []
    for number, chain in enumerate(scene.load.sleeping):
        if number % _LEFT_ALONE and (token := _stale(chain, scene.broken_at)):
            asking.append(_present(scene, chain, token, scene.rng.randrange(scene.load.client.servers)))
    return _told(await asyncio.gather(*asking)) if asking else ["no sleeper had a stale token"]


async def stale_of_awake(scene: Scene) -> list[str]:
    """What was replaced long before the fault is not accepted by any server. Contests the sessions: the last check."""
    asking = []
    stale = [(chain, token) for chain in scene.load.awake if (token := _stale(chain, scene.broken_at))]
    for chain, token in stale[:_PROBED_CHAINS]:
        asking += [_present(scene, chain, token, server) for server in range(scene.load.client.servers)]
    return _told(await asyncio.gather(*asking)) if asking else ["no chain had a stale token"]


def _of(scene: Scene, life: Life) -> list[Chain]:
    return [chain for chain in scene.load.chains if chain.life is life]


def _stale(chain: Chain, broken_at: float) -> RefreshToken | None:
    """The newest token that was replaced long before the fault."""
    tokens = [token for token, replaced in chain.replaced if replaced < broken_at - STALE_SECONDS]
    return tokens[-1] if tokens else None


async def _present(scene: Scene, chain: Chain, token: RefreshToken, server: int) -> str:
    """Presents a stale token as a thief; says what is wrong with the answer.

    The thief of a bound session has no key. Its owner may present an old token: with a proof it is a lost answer that
    is asked for again, however late, and brings what the owner holds.
    """
    answer = await _ask_until_answered(scene, token, server, proof=None)
    expected = "TOKEN_PROOF_REQUIRED" if chain.is_bound else "STEP_UP_REQUIRED"
    if answer.kind is not Kind.REFUSED or answer.reason != expected:
        return f"{token!r}, long replaced: {answer.text}"
    if chain.is_bound:
        answer = await _ask_until_answered(scene, token, server, proof=chain)
        if answer.kind is not Kind.OK:
            return f"{token!r}, with a proof: {answer.text}"
        brought = RefreshToken.read(answer.response.tokens.refresh_token, got=answer.ended)
        if (brought.place, brought.token_id) != (chain.held.place, chain.held.token_id):
            return f"{token!r}, with a proof, was answered with {brought!r} and not with {chain.held!r}"
    return ""


async def _ask_until_answered(scene: Scene, token: RefreshToken, server: int, *, proof: Chain | None) -> Answer:
    """Presents a token until there is an answer: a thief is patient, too."""
    begun = time.monotonic()
    while True:
        answer = await scene.load.client.refresh(server, token.text, "", proof.proof() if proof else None)
        if answer.kind not in RETRIED or time.monotonic() - begun > RECOVERY_SECONDS:
            return answer
        await asyncio.sleep(_PROBE_PAUSE)


def _told(given: list[str]) -> list[str]:
    return [text for text in given if text]


def _ids(chains: list[Chain]) -> list[str]:
    """Generations of which clients hold two different tokens, or which came twice."""
    ids: dict[tuple[str, int, int], set[str]] = {}
    places: Counter[tuple[str, int, int]] = Counter()
    for chain in chains:
        for token in (chain.held, *(token for token, _ in chain.replaced)):
            ids.setdefault(token.place, set()).add(token.token_id)
            places[token.place] += 1
    return [
        f"generation {generation} of family {family} of {session_id} has {len(ids[session_id, family, generation])} "
        f"tokens, and came {places[session_id, family, generation]} times"
        for session_id, family, generation in ids
        if len(ids[session_id, family, generation]) > 1 or places[session_id, family, generation] > 1
    ]


async def _rows(scene: Scene, session_ids: list[str]) -> dict[str, dict[str, Any]]:
    rows = await scene.world.postgresql.fetch_all(_ROWS, (session_ids,))
    return {row["session_id"]: row for row in rows}


def _differences(
    chains: dict[str, Chain], records: dict[str, _core.SessionRecord], rows: dict[str, dict[str, Any]]
) -> list[str]:
    """Where the three don't tell the same."""
    found = []
    for session_id, chain in chains.items():
        record, row, held = records.get(session_id), rows.get(session_id), chain.held
        if record is None or row is None:
            found.append(f"{session_id}: {'Redis' if record is None else 'PostgreSQL'} has no living session")
            continue
        told = {
            "the client": (held.family, held.generation, False),
            "Redis": (record.family, record.generation, record.contested),
            "PostgreSQL": (row["family"], row["generation_bound"], row["state"] != "active"),
        }
        if len(set(told.values())) > 1:
            found.append(f"{session_id}: (family, generation, contested) differ: {told}")
    stamps = {record.lineage for record in records.values()}
    return found if len(stamps) <= 1 else [*found, f"records of {len(stamps)} lineages after each was used"]
