"""The benchmarks that `make bench` runs, and what the goal table of the README is made of."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A benchmark in a module of its own, which writes `results/<name>.json`.

    Attributes:
        name: Of the module `bench.<name>` and of its file.
        claim: What it is about, in a few words.
        longest: Seconds after which it is ended.
    """

    name: str
    claim: str
    longest: int = 300


PARTS: Final = (
    Part(name="hot", claim="CPU of the hot calls"),
    Part(name="cold", claim="CPU of calls that the front door passes on", longest=120),
    Part(name="latency", claim="time of a verification, by load"),
    Part(name="storm", claim="verifications beside a storm of logins", longest=180),
    Part(name="pages", claim="a late page of a long list"),
)
"""In the order in which they run."""
