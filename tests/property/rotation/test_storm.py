"""64 refreshes of one token at once: one chain, nobody is logged out, and the next refresh works.

A few rounds here; `make storm` goes on for a thousand.
"""

from __future__ import annotations

import os
import random
import sys
from collections import Counter
from typing import TYPE_CHECKING, Final

import pytest
from rich.console import Console
from rich.progress import track

from tests.property.rotation.storm import PARALLEL, Storm
from tests.support.people import new_person

if TYPE_CHECKING:
    from tests.support.pair import Pair

_ROUNDS: Final = int(os.environ.get("ARGUS_STORM_ROUNDS", "24"))
# Rounds of a session, all but the first by moving the clock past the debounce.
_CHAIN: Final = 4


@pytest.mark.timeout(3600)
async def test_64_refreshes_of_one_token_at_once_make_one_token(pair: Pair) -> None:
    console = Console(file=sys.__stderr__)
    seed = random.randrange(2**32)  # noqa: S311 - an order of delivery, printed to be repeated
    console.print(f"\nstorm: {_ROUNDS} rounds of {PARALLEL}, seed {seed}")
    apis = await pair.new_tenant(absolute_seconds=86_400)
    person, order, counts = await new_person(apis[0]), random.Random(seed), Counter[str]()  # noqa: S311 - the same
    for first in track(range(0, _ROUNDS, _CHAIN), "rounds", console=console):
        storm = Storm(pair, apis, person, order, has_one_jar=(first // _CHAIN) % 2 == 0, counts=counts)
        await storm.begin()
        await storm.round()
        for _ in range(min(_CHAIN, _ROUNDS - first) - 1):
            await storm.refresh_once()
        await storm.finish()
    for api in apis:
        await api.close()
    console.print(", ".join(f"{count} {name}" for name, count in counts.items()))
    assert counts["rounds"] == counts["distinct tokens"] == _ROUNDS
    assert counts["calls"] == _ROUNDS * PARALLEL
