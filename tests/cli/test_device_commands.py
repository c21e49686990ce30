"""`argus devices explain`: why a device or session is trusted as far as it is."""

from __future__ import annotations

import asyncio
import json
import math
import os
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.people import new_person, verify

if TYPE_CHECKING:
    from tests.support.stack import Stack


async def test_explaining_a_session_and_its_device(stack: Stack) -> None:
    """The terms add up to what `VerifyAccessToken` tells; neither or both is refused."""
    api = await stack.new_tenant()
    person = await new_person(api)
    done = await person.sign_in()
    settings = stack.private.settings
    environment = os.environ | {
        "ARGUS_REDIS_URL": settings.redis_url.get_secret_value(),
        "ARGUS_DATABASE_URL": settings.database_url.get_secret_value(),
        "ARGUS_KEY_ENCRYPTION_KEY": settings.key_encryption_key.get_secret_value(),
        "ARGUS_TENANT": api.tenant_id,
    }
    program = (sys.executable, "-c", "from argus.cli.main import main; main()", "devices", "explain")

    async def run(*words: str) -> tuple[int | None, str]:
        process = await asyncio.create_subprocess_exec(
            *program, "--user", person.user_id, *words, env=environment, stdout=asyncio.subprocess.PIPE
        )
        shown, _ = await process.communicate()
        return process.returncode, shown.decode()

    told = (await verify(api, done.tokens.access_token)).trust_score
    for words in (["--session", done.session.name.rpartition("/")[2]], ["--", done.session.device.name]):
        code, shown = await run("--json", *words)
        assert code == 0
        terms = json.loads(shown)
        score = 100 / (1 + math.exp(-sum(term["weight"] for term in terms)))
        assert score == pytest.approx(terms[0]["score"], abs=1e-3)
        # The command has the machine's time, the server that of the tests.
        assert round(score) <= told
        assert [term["code"] for term in terms][:3] == ["BASE", "LOGINS", "USUAL_NETWORK"]
    assert (await run())[0] not in (0, None)
