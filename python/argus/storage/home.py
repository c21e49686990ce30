"""The folder that the embedded stores live in, and the account that they run as."""

import json
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Self

from argus.storage.binaries import Binaries
from argus.storage.processes import Account, StoreStartError

_STATE: Final = "stores.json"
_NOBODY: Final = "nobody"
# For root, whose own folders the stores' account often can't enter.
_FALLBACKS: Final = (Path("/var/tmp"), Path("/tmp"))  # noqa: S108 - a folder of its own is made there, by mkdtemp


class Home:
    """Ports, passwords and data of the embedded stores.

    The state (0600) is in Argus's data folder; the data is there too, unless Argus is root and the stores' account
    can't reach it: then in a folder of its own, which the state names.
    """

    def __init__(self, state_file: Path, state: dict[str, str], account: Account | None) -> None:
        self.state = state
        self.account = account
        self._state_file = state_file

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Opens the home of a data folder; makes it if there is none.

        Raises:
            StoreStartError: It is another account's.
        """
        state_file = folder / _STATE
        try:
            state = json.loads(state_file.read_text()) if state_file.exists() else {}
        except PermissionError:
            raise StoreStartError(
                f"{folder} belongs to another account: run Argus as that one, or choose another data folder"
            ) from None
        home = cls(state_file, state, _account_of(state))
        if "home" not in state or not Path(state["home"]).is_dir():
            home.state = {}
            home._make(folder)
        return home

    @property
    def path(self) -> Path:
        """The folder of the data."""
        return Path(self.state["home"])

    def put(self, name: str, value: str) -> None:
        """Remembers a value."""
        if self.state.get(name) == value:
            return
        self.state[name] = value
        unfinished = self._state_file.with_suffix(".unfinished")
        unfinished.unlink(missing_ok=True)
        with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:  # noqa: PTH123
            json.dump(self.state, file, indent=2)
        unfinished.replace(self._state_file)

    def keep(self, name: str, make: Callable[[], str]) -> str:
        """The value remembered under a name; made at the first time."""
        if name not in self.state:
            self.put(name, make())
        return self.state[name]

    def folder(self, name: str) -> Path:
        """A folder that only the stores' account can read."""
        path = self.path / name
        path.mkdir(mode=0o700, exist_ok=True)
        self._give(path)
        return path

    def write(self, name: str, text: str) -> Path:
        """Writes a file that only the stores' account can read."""
        path = self.path / name
        path.unlink(missing_ok=True)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:  # noqa: PTH123
            file.write(text)
        self._give(path)
        return path

    def run(self, command: Sequence[str | Path]) -> None:
        """Runs a program of the stores as their account, to its end.

        Raises:
            subprocess.CalledProcessError: It failed.
        """
        account = self.account
        subprocess.run(  # noqa: S603 - paths that Argus chose
            command,
            check=True,
            capture_output=True,
            text=True,
            cwd=self.path,
            env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )

    def delete(self) -> None:
        """Deletes it with all that is in it."""
        shutil.rmtree(self.path)
        self._state_file.unlink()

    def reachable(self, binaries: Binaries) -> Binaries:
        """The programs where the stores' account can run them: where they are, or copied into the home."""
        account = self.account
        programs = (binaries.initdb, binaries.postgres, binaries.valkey)
        if account is None or all(can_enter(path.parent, account) for path in programs):
            return binaries
        return binaries.copied_to(self.path)

    def _make(self, folder: Path) -> None:
        if self.account is not None:
            # To be passed through, not to be read; what is secret in it is 0600.
            folder.chmod(0o711)
        else:
            folder.chmod(0o700)
        if self.account is None or can_enter(folder, self.account):
            home = folder / "stores"
            shutil.rmtree(home, ignore_errors=True)
            home.mkdir(mode=0o700)
        else:
            home = Path(tempfile.mkdtemp(prefix="argus-", dir=_fallback(self.account)))
        self._give(home)
        self.put("home", str(home))

    def _give(self, path: Path) -> None:
        if self.account is not None:
            os.chown(path, self.account.uid, self.account.gid)


def _account_of(state: dict[str, str]) -> Account | None:
    """As root: the owner of what is there already, else nobody. As anybody else: oneself."""
    if os.geteuid() != 0:
        return None
    try:
        owner = Path(state["home"]).stat()
    except (KeyError, FileNotFoundError):
        pass
    else:
        if owner.st_uid != 0:
            return Account(uid=owner.st_uid, gid=owner.st_gid)
    try:
        entry = pwd.getpwnam(_NOBODY)
    except KeyError:
        raise StoreStartError(
            f"PostgreSQL does not run as root, and there is no account {_NOBODY}: run Argus as an ordinary user"
        ) from None
    return Account(uid=entry.pw_uid, gid=entry.pw_gid)


def can_enter(folder: Path, account: Account) -> bool:
    """Whether the account may pass through the folder and all above it."""
    for part in (folder, *folder.parents):
        status = part.stat()
        if status.st_uid == account.uid:
            bit = 0o100
        elif status.st_gid == account.gid:
            bit = 0o010
        else:
            bit = 0o001
        if not status.st_mode & bit:
            return False
    return True


def _fallback(account: Account) -> Path:
    for folder in _FALLBACKS:
        if folder.is_dir() and can_enter(folder, account):
            return folder
    raise StoreStartError(f"no folder that {_NOBODY} can reach: run Argus as an ordinary user")
