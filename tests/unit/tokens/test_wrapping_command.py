"""The command that wraps key-encryption keys: a real program, its failures, and what it never sees."""

import base64
import json
import os
import resource
import time
from datetime import timedelta
from pathlib import Path

import psutil
import pytest

from argus.tokens.kek.command import MAX_OUTPUT, KeyEncryptionUnavailableError, WrappingCommand
from tests.support.kms import Kms
from tests.support.logs import captured_logs

KEY = os.urandom(32)
PATIENCE = timedelta(seconds=30)


@pytest.fixture
def kms(tmp_path: Path) -> Kms:
    return Kms(tmp_path / "kms")


@pytest.fixture
def command(kms: Kms) -> WrappingCommand:
    return WrappingCommand(kms.command, timeout=PATIENCE)


async def test_what_is_wrapped_is_unwrapped(kms: Kms, command: WrappingCommand) -> None:
    """Also after the provider has rotated its own key."""
    wrapped = await command.wrap(KEY)
    assert wrapped.startswith("kms:v0:")
    kms.rotate()
    assert await command.unwrap(wrapped) == KEY
    assert (await command.wrap(KEY)).startswith("kms:v1:")


async def test_nothing_secret_is_in_its_arguments_or_environment(
    kms: Kms, command: WrappingCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It gets what it needs for its provider, and no setting of Argus's own."""
    monkeypatch.setenv("ARGUS_DATABASE_URL", "postgresql://argus:canary@db.example.com/argus")
    monkeypatch.setenv("VAULT_ADDR", "https://vault.example.com")
    wrapped = await command.wrap(KEY)
    await command.unwrap(wrapped)
    for call in kms.calls:
        environment = call["environment"]
        assert isinstance(environment, dict)
        assert environment["VAULT_ADDR"] == "https://vault.example.com"
        assert not [name for name in environment if name.startswith("ARGUS_")]
        assert command_secrets(wrapped).isdisjoint(json.dumps(call).split('"'))
    assert kms.operations == ["wrap", "unwrap"]


def command_secrets(wrapped: str) -> set[str]:
    """What must not be seen in a list of processes."""
    return {wrapped, KEY.hex()}


@pytest.mark.parametrize(
    ("failure", "operation", "says"),
    [
        ("denied", "wrap", "exit status 1: permission denied for principal argus"),
        ("denied", "unwrap", "can't unwrap: exit status 1: permission denied"),
        ("tells the key", "wrap", "exit status 1: (what it said holds key material and is not repeated)"),
        ("garbage", "unwrap", "its answer is not base64"),
        ("nothing", "wrap", "can't wrap: no answer: a pipe broke"),
        ("two lines", "wrap", "its answer is not one line"),
        ("echo", "wrap", "its answer holds the key itself"),
    ],
)
async def test_failures_say_what_is_wrong_and_never_the_key(
    kms: Kms, command: WrappingCommand, failure: str, operation: str, says: str
) -> None:
    wrapped = await command.wrap(KEY)
    kms.fail(failure)
    with captured_logs(redact=False) as log, pytest.raises(KeyEncryptionUnavailableError) as failed:
        await (command.wrap(KEY) if operation == "wrap" else command.unwrap(wrapped))
    assert says in failed.value.detail
    assert says in log.getvalue()
    # Callers are told that it is away, and no more.
    assert says not in str(failed.value)
    told = f"{log.getvalue()} {failed.value.detail} {failed.value!r}"
    assert not [secret for secret in secrets_of(KEY) if secret in told]


def secrets_of(key: bytes) -> list[str]:
    """A key as it could be written."""
    return [key.hex(), json.dumps(key.decode("latin-1")), repr(key), base64.b64encode(key).decode()]


async def test_a_program_that_hangs_is_ended_with_its_children(kms: Kms) -> None:
    """Within the time that it has."""
    kms.fail("hangs")
    begun = time.monotonic()
    with pytest.raises(KeyEncryptionUnavailableError) as failed:
        await WrappingCommand(kms.command, timeout=timedelta(seconds=3)).wrap(KEY)
    assert time.monotonic() - begun < 10
    assert "no answer within 3 s" in failed.value.detail
    child = int((kms.folder / "child").read_text())
    _gone, alive = psutil.wait_procs([psutil.Process(child)] if psutil.pid_exists(child) else [], timeout=10)
    assert [one for one in alive if one.status() != psutil.STATUS_ZOMBIE] == []


@pytest.mark.parametrize("where", ["&1", "&2"])
async def test_a_program_that_writes_without_end_is_ended_with_its_children(tmp_path: Path, where: str) -> None:
    """Nobody keeps what it writes, or waits for the end of its time."""
    script = tmp_path / "endless"
    script.write_text(f"#!/bin/sh\nsleep 1000 & echo $! > {tmp_path}/child\ncat /dev/zero >{where}\n")
    script.chmod(0o700)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(KeyEncryptionUnavailableError) as failed:
        await WrappingCommand(str(script), timeout=PATIENCE).wrap(KEY)
    assert f"can't wrap: it writes more than {MAX_OUTPUT} bytes" in failed.value.detail
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024
    child = int((tmp_path / "child").read_text())
    _gone, alive = psutil.wait_procs([psutil.Process(child)] if psutil.pid_exists(child) else [], timeout=10)
    assert [one for one in alive if one.status() != psutil.STATUS_ZOMBIE] == []


async def test_as_much_as_a_program_may_write_is_read(tmp_path: Path) -> None:
    """Of both outputs at once, and whether it reads what it is given or not."""
    script = tmp_path / "talkative"
    script.write_text(
        f"#!/bin/sh\nhead -c {MAX_OUTPUT} /dev/zero | tr '\\0' ' ' >&2\n"
        f"printf wrapped; head -c {MAX_OUTPUT - 7} /dev/zero | tr '\\0' '\\n'\n"
    )
    script.chmod(0o700)
    assert await WrappingCommand(str(script), timeout=PATIENCE).wrap(KEY) == "wrapped"


async def test_a_program_that_is_not_there_is_named() -> None:
    with pytest.raises(KeyEncryptionUnavailableError) as failed:
        await WrappingCommand("/nowhere/kms --region eu", timeout=PATIENCE).wrap(KEY)
    assert "/nowhere/kms can't wrap: it can't be started (FileNotFoundError)" in failed.value.detail
