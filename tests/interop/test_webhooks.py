"""Other people's receiver takes our events: `standardwebhooks` of npm, by HTTPS with a checked certificate."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.json_format import ParseDict

from argus.server.api import Api
from argus.server.private_stack import private_stack
from argus.v1 import events_pb2
from argus.v1 import notification_service_pb2 as pb
from argus.v1 import session_service_pb2 as sessions
from tests.support.people import new_person
from tests.support.tls import certificates
from tests.support.toolchains import AbsentError, alone, copied, get, program, workplace

_NAME = "standardwebhooks"
_PATIENCE = 60.0


@pytest.fixture(scope="module")
def receiver() -> Path:
    """Where the receiver's program is."""
    try:
        program("node")
        return _receiver()
    except AbsentError as absent:
        pytest.skip(str(absent))


@alone
def _receiver() -> Path:
    folder = workplace(_NAME)
    if not (folder / "node_modules").exists():
        copied(_NAME, folder)
        get(program("npm"), "ci", "--silent", "--ignore-scripts", cwd=folder)
    return folder / "receive.mjs"


class Receiving:
    """The program at work."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def line(self) -> dict[str, Any]:
        """What it says next."""
        assert self._process.stdout is not None
        said = await asyncio.wait_for(self._process.stdout.readline(), _PATIENCE)
        return dict(json.loads(said))


@asynccontextmanager
async def receiving(script: Path, folder: Path, secret: str) -> AsyncIterator[Receiving]:
    """Runs it with a secret."""
    process = await asyncio.create_subprocess_exec(
        program("node"), script, folder / "server.pem", folder / "server.key", secret, stdout=asyncio.subprocess.PIPE
    )
    try:
        yield Receiving(process)
    finally:
        process.kill()
        await process.wait()


@asynccontextmanager
async def trusting_stack(folder: Path) -> AsyncIterator[Api]:
    """A server that trusts the receiver's authority; its clock is the machine's."""
    authority, chain, key = certificates()
    (folder / "ca.pem").write_bytes(authority)
    (folder / "server.pem").write_bytes(chain)
    (folder / "server.key").write_bytes(key)
    changes: dict[str, Any] = {"webhook_allowed_networks": "127.0.0.0/8", "webhook_ca_file": folder / "ca.pem"}
    async with private_stack(**changes) as stack, stack.fresh_tenant() as api:
        yield api


async def test_npm_takes_what_is_signed_with_its_secret_and_nothing_else(receiver: Path, tmp_path: Path) -> None:
    async with trusting_stack(tmp_path) as api:
        channel = pb.Channel(kind=pb.CHANNEL_KIND_WEBHOOK, url="https://127.0.0.1:1/", event_types=["session.*"])
        made = await api.notifications.CreateChannel(pb.CreateChannelRequest(parent=api.parent, channel=channel))
        person = await new_person(api)
        async with receiving(receiver, tmp_path, made.secret) as running:
            made.channel.url = f"https://127.0.0.1:{(await running.line())['port']}/"
            request = pb.UpdateChannelRequest(channel=made.channel, update_mask=FieldMask(paths=["url"]))
            await api.notifications.UpdateChannel(request)
            done = await person.sign_in()
            said = await running.line()
            told = ParseDict(said["event"], events_pb2.Event())
            listed = sessions.ListSessionEventsRequest(parent=done.session.name, page_size=100)
            assert told in (await api.sessions.ListSessionEvents(listed)).events
            assert (told.type, said["id"]) == ("session.created", told.name)
            # While both secrets sign it is taken, by whoever knows either.
            rotated = await api.notifications.RotateChannelSecret(pb.RotateChannelSecretRequest(name=made.channel.name))
            assert (await _tested(api, made.channel)) == "SENT"
            assert (await running.line())["event"]["type"] == "channel.tested"
            request_now = pb.RotateChannelSecretRequest(name=made.channel.name)
            request_now.overlap.FromSeconds(0)
            newest = await api.notifications.RotateChannelSecret(request_now)
            assert len({made.secret, rotated.secret, newest.secret}) == 3
            assert (await _tested(api, made.channel)) == "HTTP_401"
            assert (await running.line())["refused"] == "No matching signature found"


async def test_nothing_is_sent_to_who_can_not_show_a_good_certificate(receiver: Path, tmp_path: Path) -> None:
    async with trusting_stack(tmp_path) as api:
        (tmp_path / "other").mkdir()
        _, chain, key = certificates()
        (tmp_path / "other/server.pem").write_bytes(chain)
        (tmp_path / "other/server.key").write_bytes(key)
        async with receiving(
            receiver, tmp_path / "other", "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
        ) as running:
            url = f"https://127.0.0.1:{(await running.line())['port']}/"
            channel = pb.Channel(kind=pb.CHANNEL_KIND_WEBHOOK, url=url, event_types=["session.*"])
            made = await api.notifications.CreateChannel(pb.CreateChannelRequest(parent=api.parent, channel=channel))
            assert (await _tested(api, made.channel)) == "TLS"


async def _tested(api: Api, channel: pb.Channel) -> str:
    return (await api.notifications.TestChannel(pb.TestChannelRequest(name=channel.name))).outcome
