"""A stale extension refuses to start and names the command to run."""

from pathlib import Path

import pytest

from argus import _core
from argus.cli.extension import StaleExtensionError, check_extension, source_digest

SOURCES = Path(__file__).parents[3] / "rust_core"


def test_the_extension_under_test_is_not_stale() -> None:
    check_extension()
    assert source_digest(SOURCES) == _core.SOURCE_DIGEST


def test_changed_sources_are_noticed(tmp_path: Path) -> None:
    file = tmp_path / "core" / "src" / "lib.rs"
    file.parent.mkdir(parents=True)
    file.write_text("// one")
    built_from = source_digest(tmp_path)
    check_extension(tmp_path, built_from)
    file.write_text("// two")
    with pytest.raises(StaleExtensionError, match="run: make install"):
        check_extension(tmp_path, built_from)


def test_without_sources_there_is_nothing_to_compare(tmp_path: Path) -> None:
    check_extension(tmp_path / "none", "whatever")
