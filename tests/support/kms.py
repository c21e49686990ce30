"""A key management system in a folder, and the program that speaks to it: what a site writes around its own.

Run as a program it does what docs/guides/keys.md says: `kms.py <folder> wrap` and `kms.py <folder> unwrap`.
"""

import base64
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM


class Kms:
    """The system: keys of its own that never leave it, and a state that a test sets."""

    def __init__(self, folder: Path) -> None:
        """Opens the one of a folder; makes it the first time."""
        self.folder = folder
        folder.mkdir(exist_ok=True)
        if not self._keys:
            self.rotate()

    @property
    def command(self) -> str:
        """What goes into `ARGUS_KEY_ENCRYPTION_COMMAND`."""
        return shlex.join([sys.executable, __file__, str(self.folder)])

    @property
    def calls(self) -> list[dict[str, object]]:
        """What the program was started with, each time: arguments and environment."""
        file = self.folder / "calls"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    @property
    def operations(self) -> list[object]:
        """What the program was asked for, each time."""
        return [call["arguments"][-1] for call in self.calls if isinstance(call["arguments"], list)]

    def rotate(self) -> None:
        """Makes a new version of its key; the ones before it go on unwrapping."""
        (self.folder / f"key-{len(self._keys)}").write_bytes(os.urandom(32))

    def fail(self, how: str) -> None:
        """How it fails from now on; "" is not at all."""
        (self.folder / "failure").write_text(how)

    def serve(self, operation: str) -> str:
        """Answers one call, as the program."""
        with (self.folder / "calls").open("a") as file:
            file.write(json.dumps({"arguments": sys.argv, "environment": dict(os.environ)}) + "\n")
        given = sys.stdin.readline().strip()
        failure = self.folder / "failure"
        how = failure.read_text() if failure.exists() else ""
        match how:
            case "denied":
                sys.exit("permission denied for principal argus")
            case "tells the key":
                sys.exit(f"could not process {given}")
            case "hangs":
                # With a child that would outlive it.
                with subprocess.Popen(["sleep", "600"]) as child:
                    (self.folder / "child").write_text(str(child.pid))
            case "garbage":
                return "!?"
            case "nothing":
                sys.stderr.write("a pipe broke\n")
                return ""
            case "two lines":
                return "a\nb"
            case "echo":
                return given
            case "another key":
                return base64.b64encode(os.urandom(32)).decode()
        return self._wrap(given) if operation == "wrap" else self._unwrap(given)

    def _wrap(self, text: str) -> str:
        version = len(self._keys) - 1
        nonce = os.urandom(12)
        sealed = AESGCM(self._keys[version]).encrypt(nonce, base64.b64decode(text), None)
        return f"kms:v{version}:{base64.b64encode(nonce + sealed).decode()}"

    def _unwrap(self, wrapped: str) -> str:
        scheme, version, text = wrapped.split(":")
        if scheme != "kms":
            sys.exit("not mine")
        sealed = base64.b64decode(text)
        return base64.b64encode(AESGCM(self._keys[int(version[1:])]).decrypt(sealed[:12], sealed[12:], None)).decode()

    @property
    def _keys(self) -> list[bytes]:
        return [file.read_bytes() for file in sorted(self.folder.glob("key-*"))]


if __name__ == "__main__":
    sys.stdout.write(Kms(Path(sys.argv[1])).serve(sys.argv[2]) + "\n")
