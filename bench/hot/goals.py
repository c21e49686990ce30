"""The contenders' names, and what is claimed of them."""

import statistics
from collections.abc import Sequence
from typing import Final

from argus.server.bench.rounds import REFRESH, VERIFY, Turns
from bench.rows import Row

ARGUS_RS256, ARGUS_EDDSA = "argus, RS256 + RS256", "argus, RS256 + EdDSA"
NAIVE_RS256, NAIVE_EDDSA = "naive, RS256 + RS256", "naive, RS256 + EdDSA"

KEYS: Final = "access tokens: RS256 with RSA-2048; refresh tokens: RS256 with RSA-2048, or EdDSA with Ed25519"
"""The keys of every figure."""

_MOST_OTHERS: Final = 0.1
# Today's calls go through grpcio; the goals are those of the front door.
_LATER: Final = "with the front door; not judged yet"


def goals(rounds: Sequence[Turns]) -> list[Row]:
    """The rows of the result file.

    Args:
        rounds: The turns of every round.
    """
    return [
        _ratio("verify_cpu_vs_naive", rounds, VERIFY, NAIVE_RS256, ARGUS_RS256, least=12),
        _ratio("refresh_cpu_vs_naive", rounds, REFRESH, NAIVE_RS256, ARGUS_RS256, least=8),
        _ratio("refresh_eddsa_cpu_vs_naive", rounds, REFRESH, NAIVE_RS256, ARGUS_EDDSA, least=8),
        _ratio("refresh_eddsa_cpu_vs_naive_eddsa", rounds, REFRESH, NAIVE_EDDSA, ARGUS_EDDSA, least=None),
        _quiet(rounds),
    ]


def _ratio(name: str, rounds: Sequence[Turns], call: str, peer: str, own: str, *, least: float | None) -> Row:
    """How many times the peer's CPU time is Argus's: the median of the rounds, in each of which both had their turn."""
    ratios = [_server_us(one, peer, call) / _server_us(one, own, call) for one in rounds]
    return Row(
        name=name,
        value=round(statistics.median(ratios), 3),
        unit=f"× ({own} against {peer}, RSA-2048)",
        goal=f"≥ {least:g} {_LATER}" if least else "-",
        met=None,
    )


def _quiet(rounds: Sequence[Turns]) -> Row:
    others = statistics.median(turn.others for one in rounds for done in one.values() for turn in done.values())
    return Row(
        name="machine_used_by_others",
        value=round(100 * others, 1),
        unit="% of all processors",
        goal=f"≤ {100 * _MOST_OTHERS:g}",
        met=others <= _MOST_OTHERS,
    )


def _server_us(turns: Turns, name: str, call: str) -> float:
    """CPU time of the server a call, in the closed loop, which comes first."""
    return next(turn.cpu_us["server"] for what, turn in turns[name].items() if what.startswith(call))
