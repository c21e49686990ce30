"""The contenders' names, and what is claimed of them."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from argus.server.bench.rounds import REFRESH, VERIFY, Turns
from bench.rows import Row, quiet_row
from bench.turns import used_by_others

ARGUS_RS256, ARGUS_EDDSA = "argus, RS256 + RS256", "argus, RS256 + EdDSA"
ARGUS_CACHED, ARGUS_GRPCIO = "argus, cached", "argus through grpcio"
NAIVE_RS256, NAIVE_EDDSA = "naive, RS256 + RS256", "naive, RS256 + EdDSA"
ECHO = "empty echo"

KEYS: Final = "access tokens: RS256 with RSA-2048; refresh tokens: RS256 with RSA-2048, or EdDSA with Ed25519"
"""The keys of every figure."""

_MOST_CACHED_VS_ECHO: Final = 1.25
_MOST_OVER_SIGNATURES: Final = 1.25
_WITHOUT_DOOR: Final = "without the front door: not judged"

Costs = Mapping[str, float]
"""What `signature_costs` has said."""


def goals(rounds: Sequence[Turns], costs: Sequence[Costs], *, has_door: bool = True) -> list[Row]:
    """The rows of the result file.

    Args:
        rounds: The turns of every round.
        costs: What bare signatures cost in each.
        has_door: Whether Argus was called through its front door: else nothing is judged.
    """
    rows = [
        _times("verify_cpu_vs_naive", rounds, VERIFY, NAIVE_RS256, ARGUS_RS256, least=12),
        _times("refresh_cpu_vs_naive", rounds, REFRESH, NAIVE_RS256, ARGUS_RS256, least=8),
        _times("refresh_eddsa_cpu_vs_naive", rounds, REFRESH, NAIVE_RS256, ARGUS_EDDSA, least=8),
        _times("refresh_eddsa_cpu_vs_naive_eddsa", rounds, REFRESH, NAIVE_EDDSA, ARGUS_EDDSA, least=None),
        *_cached(rounds),
        _bound(rounds, costs),
    ]
    judged = rows if has_door else [replace(row, met=None, why=row.why or _WITHOUT_DOOR) for row in rows]
    return [*judged, quiet_row(used_by_others(rounds))]


def server_us(turns: Turns, name: str, call: str) -> float:
    """CPU time of a server a call, in the closed loop, which comes first.

    Args:
        turns: Of one round, or the medians.
        name: The contender.
        call: `VERIFY` or `REFRESH`.
    """
    return next(turn.cpu_us["server"] for what, turn in turns[name].items() if what.startswith(call))


def _times(name: str, rounds: Sequence[Turns], call: str, peer: str, own: str, *, least: float | None) -> Row:
    """How many times the peer's CPU time is Argus's: the median of the rounds, in each of which both had their turn."""
    value, unit = _median_ratio(rounds, call, peer, own), f"× ({own} against {peer}, RSA-2048)"
    return Row.told(name, value, unit) if least is None else Row.at_least(name, value, unit, least)


def _cached(rounds: Sequence[Turns]) -> list[Row]:
    of_naive, of_echo = "verify_cached_cpu_vs_naive", "verify_cached_vs_echo"
    if not all(ARGUS_CACHED in one for one in rounds):
        why = "not measured without the front door"
        return [Row.skipped(of_naive, "×", "≥ 30", why), Row.skipped(of_echo, "×", f"≤ {_MOST_CACHED_VS_ECHO}", why)]
    over = _median_ratio(rounds, VERIFY, ARGUS_CACHED, ECHO)
    return [
        _times(of_naive, rounds, VERIFY, NAIVE_RS256, ARGUS_CACHED, least=30),
        Row.at_most(of_echo, over, "× (CPU; the same bytes each way, RSA-2048)", _MOST_CACHED_VS_ECHO),
    ]


def _bound(rounds: Sequence[Turns], costs: Sequence[Costs]) -> Row:
    """A refresh makes an access token and checks a refresh token; it can't cost less than those two signatures."""
    unit = f"× ({ARGUS_EDDSA}, against one RSA-2048 signature made and one of Ed25519 checked)"
    bounds = [1e6 * (one["RSA-2048 sign"] + one["Ed25519 verify"]) for one in costs]
    ratios = [server_us(turns, ARGUS_EDDSA, REFRESH) / us for turns, us in zip(rounds, bounds, strict=True)]
    return Row.at_most("refresh_vs_single_rsa_bound", statistics.median(ratios), unit, _MOST_OVER_SIGNATURES)


def _median_ratio(rounds: Sequence[Turns], call: str, one: str, other: str) -> float:
    return statistics.median(server_us(turns, one, call) / server_us(turns, other, call) for turns in rounds)
