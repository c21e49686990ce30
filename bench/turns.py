"""Turns of rounds as results."""

import statistics
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from argus.server.bench.rounds import Turns


def plain(turns: Turns) -> dict[str, Any]:
    """As they stand in a result file."""
    return {name: {what: asdict(turn) for what, turn in done.items()} for name, done in turns.items()}


def used_by_others(rounds: Sequence[Turns]) -> float:
    """Share of the machine that went to processes that had nothing to do with it: the median of all turns."""
    return statistics.median(turn.others for one in rounds for done in one.values() for turn in done.values())
