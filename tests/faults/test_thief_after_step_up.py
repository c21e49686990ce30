"""The owner proves itself anew: what the thief holds is refused by every server, whatever Redis forgets after that."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.breakable import Breakable, breakable_servers
from tests.support.people import new_person, refresh, step_up, verify
from tests.support.theft import OUT_OF_STEP, cause_of, contest, rotate

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture(scope="module")
async def breakable(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Breakable]:
    async with breakable_servers(tmp_path_factory.mktemp("thief")) as made:
        yield made


@pytest.mark.parametrize("is_contested", [True, False], ids=["after a replay", "before any replay"])
@pytest.mark.parametrize("loss", ["none", "emptied", "restarted", "restored from an older snapshot"])
async def test_the_thiefs_tokens_are_refused_after_the_owners_step_up(
    breakable: Breakable, is_contested: bool, loss: str, tmp_path: Path
) -> None:
    """Access and refresh token alike, at both servers; the owner goes on with the new family."""
    async with breakable.new_tenant() as apis:
        one, other = apis
        person = await new_person(one)
        theft = await (contest if is_contested else rotate)(breakable.first, person)
        assert is_contested or (await verify(other, theft.access_token)).session == theft.session
        saved = breakable.save(tmp_path)
        done = await step_up(one, theft.newest)
        if loss == "emptied":
            await breakable.flush()
        elif loss == "restarted":
            breakable.restart()
        elif loss != "none":
            breakable.restore(saved)
        for api in apis:
            assert await cause_of(verify(api, theft.access_token)) == "FAMILY_OLDER"
            for token in theft.refresh_tokens:
                assert await cause_of(refresh(api, token)) == "FAMILY_OLDER"
            assert (await verify(api, done.tokens.access_token)).session == theft.session
        newest = (await refresh(other, done.tokens.refresh_token)).tokens
        await breakable.advance(OUT_OF_STEP)
        assert (await refresh(one, newest.refresh_token)).session == theft.session
        assert await cause_of(refresh(other, theft.newest)) == "FAMILY_OLDER"
