"""`argus revocations`: what is over, as an administrator sees it."""

from __future__ import annotations

import asyncio
import json
import signal
from typing import TYPE_CHECKING

from argus.v1 import session_service_pb2 as sessions
from tests.support.people import new_person, terminate
from tests.support.shell import Shell

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.stack import Stack


async def test_listing_and_watching(stack: Stack, tmp_path: Path) -> None:
    """What is over is shown, then what ends, until somebody presses Ctrl-C."""
    api = await stack.new_tenant()
    person = await new_person(api)
    begun = [(await api.sessions.CreateSession(sessions.CreateSessionRequest(parent=person.name))) for _ in range(2)]
    early, late = (one.session.name for one in begun)
    await terminate(api, early)
    shell = Shell(stack, api, tmp_path)
    listing = await shell.start("revocations", "list", "--json")
    shown, _ = await listing.communicate()
    assert [one["subject"] for one in json.loads(shown)] == [early.rpartition("/")[2]]
    watching = await shell.start("revocations", "watch")
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
