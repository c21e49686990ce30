"""Becomes a server that ends when the process that started it ends, whatever ends that.

Run as a script, before the server's own program: `launch.py <parent> <signal> <uid> <gid> <program> <arguments…>`.
A program of its own, since code between fork and exec is unsafe in a process that has threads.
"""

import ctypes
import os
import sys
from typing import Final

PR_SET_PDEATHSIG: Final = 1


def main(arguments: list[str]) -> None:
    """Gives up root, asks for a signal at the parent's end, and becomes the program."""
    parent, signal, uid, gid = (int(text) for text in arguments[:4])
    if uid >= 0:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    if sys.platform == "linux" and ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal) != 0:
        # After the change of the user, which would clear it.
        sys.exit("launch: prctl failed")
    if os.getppid() != parent:
        sys.exit("launch: the starter is gone")
    os.execv(arguments[4], arguments[4:])  # noqa: S606 - a server's path, not a shell's


if __name__ == "__main__":
    main(sys.argv[1:])
