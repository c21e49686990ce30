"""Accounts that Argus is run as."""

import os
import pwd
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from argus.storage.home import can_enter
from argus.storage.processes import Account

IS_ROOT = os.geteuid() == 0


@pytest.fixture(params=["root", "ordinary user"] if IS_ROOT else ["ordinary user"])
def as_account(request: pytest.FixtureRequest) -> list[str]:
    """What makes a command run under the account."""
    if request.param == "root" or not IS_ROOT:
        return []
    nobody = pwd.getpwnam("nobody")
    account = ["setpriv", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups"]
    if can_enter(Path(sys.executable).resolve().parent, Account(uid=nobody.pw_uid, gid=nobody.pw_gid)):
        return account
    # The interpreter is in a folder of root's: may read it, and is an ordinary user in all else.
    return [*account, "--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]


@pytest.fixture
def folder(as_account: Sequence[str]) -> Iterator[Path]:
    """A data folder that is the account's."""
    with tempfile.TemporaryDirectory(prefix="argus-", ignore_cleanup_errors=True) as path:
        if as_account:
            nobody = pwd.getpwnam("nobody")
            os.chown(path, nobody.pw_uid, nobody.pw_gid)
        else:
            Path(path).chmod(0o711)
        yield Path(path) / "data"
