"""Three processes share what is to be sent: each try is one process's, and one that is killed loses nothing."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final, LiteralString

import pytest

from argus.server.private_stack import private_stack
from argus.server.served import Served
from argus.v1 import notification_service_pb2 as pb
from argus.v1 import user_service_pb2 as users
from tests.support.processes import PATIENCE_SECONDS
from tests.support.receivers import receiver

if TYPE_CHECKING:
    from pathlib import Path

    from argus.server.private_stack import PrivateStack

PROCESSES: Final = 3
NETWORKS: Final = "127.0.0.0/8"
EVENTS: Final = 60
# What a process sends to one endpoint at a time.
AT_A_TIME: Final = 4


async def _nothing() -> int:
    return 0


@pytest.mark.timeout(300)
async def test_one_of_three_is_killed_while_it_sends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it had on its way comes again under the same id, nothing else comes twice, and nothing is missing."""
    async with private_stack(webhook_allowed_networks=NETWORKS) as stack, receiver() as endpoint:
        # This process only makes events.
        monkeypatch.setattr(stack.server.argus.courier, "_begin", _nothing)
        async with stack.fresh_tenant() as api:
            channel = pb.Channel(kind=pb.CHANNEL_KIND_WEBHOOK, url=endpoint.url, event_types=["user.created"])
            made = await api.notifications.CreateChannel(pb.CreateChannelRequest(parent=api.parent, channel=channel))
            # Nobody begins before all are there.
            await stack.server.argus.db.execute_relaxed("UPDATE channels SET state = 'paused'")
            for number in range(EVENTS):
                one = users.Identifier(kind=users.IDENTIFIER_KIND_EMAIL, value=f"p{number}@example.com")
                user = users.User(identifiers=[one])
                await api.users.CreateUser(users.CreateUserRequest(parent=api.parent, user=user))
            endpoint.gate = asyncio.Event()
            with ExitStack() as processes:
                running = []
                for number in range(PROCESSES):
                    folder = tmp_path / str(number)
                    folder.mkdir()
                    running.append(
                        processes.enter_context(
                            Served(
                                stack.settings, folder, webhook_allowed_networks=NETWORKS, webhook_timeout="30s"
                            ).running()
                        )
                    )
                await api.notifications.ResumeChannel(pb.ResumeChannelRequest(name=made.channel.name))
                # Each has as many on its way as it may have.
                await endpoint.wait_for(PROCESSES * AT_A_TIME)
                assert len({one.id for one in endpoint.posted}) == PROCESSES * AT_A_TIME
                running[0].kill()
                endpoint.gate.set()
                await _until_only_the_killed_ones_wait(stack)
                lost = await _unfinished(stack)
                assert len(lost) == AT_A_TIME
                assert set(lost) <= {one.id for one in endpoint.posted[: PROCESSES * AT_A_TIME]}
                await _pass_the_time_of_a_lease(stack)
                await _until(stack, "SELECT count(*) AS n FROM deliveries WHERE state = 'sent'", EVENTS)
        arrived = Counter(one.id for one in endpoint.posted)
        assert len(arrived) == EVENTS
        assert {one for one, times in arrived.items() if times > 1} == set(lost)
        assert set(arrived.values()) <= {1, 2}
        tries = await stack.server.argus.db.fetch_all(
            """SELECT event_id, count(*) AS n FROM deliveries JOIN delivery_attempts USING (tenant_id, delivery_id)
                GROUP BY event_id"""
        )
        # Every try stands in the log, and every one has arrived.
        assert {row["event_id"]: row["n"] for row in tries} == arrived


async def _until_only_the_killed_ones_wait(stack: PrivateStack) -> None:
    await _until(stack, "SELECT count(*) AS n FROM deliveries WHERE state = 'sent'", EVENTS - AT_A_TIME)


async def _unfinished(stack: PrivateStack) -> list[str]:
    """Events of which nobody has said what came of the try."""
    rows = await stack.server.argus.db.fetch_all(
        """SELECT d.event_id FROM deliveries d JOIN delivery_attempts a USING (tenant_id, delivery_id)
            WHERE a.outcome = '' AND d.state = 'waiting'"""
    )
    return [row["event_id"] for row in rows]


async def _pass_the_time_of_a_lease(stack: PrivateStack) -> None:
    """Two minutes of the processes' own clocks."""
    await stack.server.argus.db.execute_relaxed(
        "UPDATE deliveries SET attempt_time = attempt_time - interval '2 minutes' WHERE state = 'waiting'"
    )


async def _until(stack: PrivateStack, sql: LiteralString, number: int) -> None:
    begun = time.monotonic()
    while True:
        row = await stack.server.argus.db.fetch_one(sql)
        assert row is not None
        if row["n"] == number:
            return
        assert time.monotonic() - begun < PATIENCE_SECONDS, row
        await asyncio.sleep(0.05)
