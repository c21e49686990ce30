"""Whether two series of times could be told apart."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from scipy.stats import mannwhitneyu  # type: ignore[import-untyped]

from bench.rows import Row

MIN_PAIRS: Final = 1000
_MIN_P: Final = 0.001
_MAX_DIFFERENCE_PERCENT: Final = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The times of one RPC, for known and for unknown users.

    Attributes:
        rpc: Its name, in rows.
        known: ms each.
        unknown: ms each.
    """

    rpc: str
    known: Sequence[float]
    unknown: Sequence[float]

    @property
    def difference_percent(self) -> float:
        """How much longer the median of known users is than that of unknown ones."""
        return (statistics.median(self.known) / statistics.median(self.unknown) - 1) * 100

    @property
    def p(self) -> float:
        """Chance that times of one and the same distribution differ so much (Mann-Whitney U, two-sided)."""
        return float(mannwhitneyu(self.known, self.unknown, alternative="two-sided").pvalue)

    @property
    def longer_for_known(self) -> float:
        """Share of all known-unknown couples in which the known one takes longer; 0.5: it is a coin's toss."""
        u = mannwhitneyu(self.known, self.unknown, alternative="two-sided").statistic
        return float(u) / (len(self.known) * len(self.unknown))

    def rows(self) -> list[Row]:
        """What is claimed of it."""
        pairs, p, difference = len(self.known), self.p, self.difference_percent
        return [
            Row(name=f"{self.rpc}_pairs", value=pairs, unit="pairs", goal=f">= {MIN_PAIRS}", met=pairs >= MIN_PAIRS),
            Row(name=f"{self.rpc}_mann_whitney_p", value=p, unit="p", goal=f"> {_MIN_P}", met=p > _MIN_P),
            Row(
                name=f"{self.rpc}_median_difference",
                value=round(difference, 3),
                unit="%",
                goal=f"-{_MAX_DIFFERENCE_PERCENT:g} to {_MAX_DIFFERENCE_PERCENT:g}",
                met=abs(difference) <= _MAX_DIFFERENCE_PERCENT,
            ),
        ]

    def measured(self) -> dict[str, object]:
        """Figures behind the rows, ms."""
        return {
            "known_ms": _summary(self.known),
            "unknown_ms": _summary(self.unknown),
            "longer_for_known": round(self.longer_for_known, 4),
        }


def _summary(times: Sequence[float]) -> dict[str, float]:
    percentiles = statistics.quantiles(times, n=100)
    return {f"p{number}": round(percentiles[number - 1], 3) for number in (5, 25, 50, 75, 95)}
