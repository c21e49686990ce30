"""`argus revocations`: what is over, as an administrator sees it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from typing import TYPE_CHECKING

from argus.v1 import session_service_pb2 as sessions
from tests.support.people import new_person, terminate

if TYPE_CHECKING:
    from tests.support.stack import Stack


async def test_listing_and_watching(stack: Stack) -> None:
    """What is over is shown, then what ends, until somebody presses Ctrl-C."""
    api = await stack.new_tenant()
    person = await new_person(api)
    begun = [(await api.sessions.CreateSession(sessions.CreateSessionRequest(parent=person.name))) for _ in range(2)]
    early, late = (one.session.name for one in begun)
    await terminate(api, early)
    settings = stack.private.settings
    environment = os.environ | {
        "ARGUS_REDIS_URL": settings.redis_url.get_secret_value(),
        "ARGUS_DATABASE_URL": settings.database_url.get_secret_value(),
        "ARGUS_KEY_ENCRYPTION_KEY": settings.key_encryption_key.get_secret_value(),
        "ARGUS_TENANT": api.tenant_id,
    }
    program = (sys.executable, "-c", "from argus.cli.main import main; main()", "revocations")

    async def start(*words: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *program, *words, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )

    listing = await start("list", "--json")
    shown, _ = await listing.communicate()
    assert [one["subject"] for one in json.loads(shown)] == [early.rpartition("/")[2]]
    watching = await start("watch")
    assert watching.stdout is not None
    async with asyncio.timeout(60):
        assert early.rpartition("/")[2] in (await watching.stdout.readline()).decode()
        # The command has loaded the functions with the time of the machine.
        await stack.argus.redis.load_functions()
        await terminate(api, late)
        assert late.rpartition("/")[2] in (await watching.stdout.readline()).decode()
        watching.send_signal(signal.SIGINT)
        _, said = await watching.communicate()
    assert watching.returncode == 0, said
    assert b"Traceback" not in said
