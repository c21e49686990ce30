"""Secrets that a person must be able to read: files of mode 0600 in a folder of mode 0700."""

import os
from collections.abc import Callable
from pathlib import Path


class SecretFiles:
    """The secrets of a data folder, a file each."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()

    def path(self, name: str) -> Path:
        """The file of a secret."""
        return self.folder / name

    def has(self, name: str) -> bool:
        """Whether there is such a secret."""
        return self.path(name).is_file()

    def write(self, name: str, secret: str) -> None:
        """Writes a secret, whole or not at all."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        unfinished = self.path(f"{name}.unfinished")
        unfinished.unlink(missing_ok=True)
        with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:  # noqa: PTH123
            file.write(secret)
        unfinished.replace(self.path(name))

    def keep(self, name: str, make: Callable[[], str]) -> str:
        """The secret of that name; made at the first time."""
        if not self.has(name):
            self.write(name, make())
        return self.path(name).read_text("utf-8")
