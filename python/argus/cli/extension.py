"""Notices an extension that was built from other sources than those beside it."""

import hashlib
from pathlib import Path
from typing import Final

from argus import _core

_CRATES: Final = ("core", "door", "engine", "load", "py")
_SUFFIXES: Final = (".rs", ".lua")
_SOURCES: Final = Path(__file__).parents[3] / "rust_core"


class StaleExtensionError(Exception):
    """The extension is not what the sources say."""


def check_extension(sources: Path = _SOURCES, built_from: str = _core.SOURCE_DIGEST) -> None:
    """Refuses a stale extension; an installed Argus, which has no sources beside it, is always what it was built as.

    Args:
        sources: Where the Rust sources are, if they are here.
        built_from: Digest of the sources that the extension was built from.

    Raises:
        StaleExtensionError: Says which command builds it.
    """
    if sources.is_dir() and source_digest(sources) != built_from:
        raise StaleExtensionError("the Rust sources have changed since the extension was built; run: make install")


def source_digest(sources: Path) -> str:
    """The digest that `rust_core/py/build.rs` puts into the extension."""
    files = {
        file.relative_to(sources).as_posix(): file
        for crate in _CRATES
        for file in (sources / crate).rglob("*")
        if file.is_file() and (file.suffix in _SUFFIXES or file.name == "Cargo.toml")
    }
    whole = hashlib.sha256()
    for path in sorted(files, key=str.encode):
        whole.update(f"{hashlib.sha256(files[path].read_bytes()).hexdigest()}  {path}\n".encode())
    return whole.hexdigest()
