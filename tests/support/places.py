"""Address databases of tests: real files, in the place of those that a server has."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from mmdb_writer import MMDBWriter
from netaddr import IPSet

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from argus.networks.service import Networks


@contextmanager
def installed(networks: Networks, folder: Path) -> Iterator[None]:
    """The databases of a folder are what a server goes by."""
    before = networks._folder
    networks._folder = folder
    networks.refresh()
    try:
        yield
    finally:
        networks._folder = before
        networks.refresh()


def write_database(path: Path, records: Mapping[str, dict[str, Any]]) -> None:
    """A database in MaxMind's format: a record for each network."""
    writer = MMDBWriter(6, "Test", languages=["en"], ipv4_compatible=True, int_type="auto")
    for network, record in records.items():
        writer.insert_network(IPSet([network]), record)
    writer.to_db_file(str(path))
