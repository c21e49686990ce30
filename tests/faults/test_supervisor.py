"""The embedded stores end with Argus, whatever ends it, and the next start recovers; as root and as anybody else."""

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
from redis import Redis

import argus
from argus.storage import launch
from argus.storage.binaries import find_binaries
from argus.storage.processes import StoreStartError
from tests.support.processes import PATIENCE_SECONDS, handles, wait_for_the_end

ROOT = Path(__file__).parents[2]

Start = Callable[[], "StoresProcess"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoresProcess:
    """A running `stores_program`."""

    process: subprocess.Popen[str]
    facts: dict[str, Any]

    def family(self) -> list[psutil.Process]:
        """The servers and all their children."""
        servers = [psutil.Process(pid) for pid in self.facts["pids"]]
        return servers + [child for server in servers for child in server.children(recursive=True)]

    def stop(self) -> None:
        """Lets it end in order."""
        self.process.communicate(timeout=PATIENCE_SECONDS)
        assert self.process.returncode == 0

    def kill(self) -> None:
        """Ends it by `kill -9`."""
        self.process.kill()
        self.process.communicate(timeout=PATIENCE_SECONDS)


@pytest.fixture
def program(folder: Path, as_account: list[str]) -> Callable[[], subprocess.Popen[str]]:
    """Runs `stores_program` as the account."""

    def run() -> subprocess.Popen[str]:
        package = Path(argus.__file__).parents[1]
        return subprocess.Popen(
            [*as_account, sys.executable, "-B", "-m", "tests.faults.stores_program", folder],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": f"{package}{os.pathsep}{ROOT}"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return run


@pytest.fixture
def start(program: Callable[[], subprocess.Popen[str]]) -> Iterator[Start]:
    """Starts the stores and waits until they answer."""
    started: list[StoresProcess] = []

    def run() -> StoresProcess:
        process = program()
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, process.communicate()[1]
        started.append(StoresProcess(process=process, facts=json.loads(line)))
        return started[-1]

    yield run
    for stores in started:
        if stores.process.poll() is None:
            stores.stop()


def write(facts: dict[str, Any]) -> None:
    """Leaves a mark in both stores."""
    with psycopg.connect(facts["database"], autocommit=True) as connection:
        connection.execute("CREATE TABLE marks (mark text)")
        connection.execute("INSERT INTO marks VALUES ('left behind')")
    with Redis.from_url(facts["redis"]) as client:
        client.set("mark", "left behind")


def read(facts: dict[str, Any]) -> tuple[str, str]:
    """The marks in both stores."""
    with psycopg.connect(facts["database"], autocommit=True) as connection:
        row = connection.execute("SELECT mark FROM marks").fetchone()
    with Redis.from_url(facts["redis"]) as client:
        value = client.get("mark")
    assert row is not None
    return row[0], bytes(value or b"").decode()


def test_kill_9_leaves_no_process_and_the_next_start_recovers(start: Start) -> None:
    stores = start()
    write(stores.facts)
    # A client that is still there keeps no server alive.
    with psycopg.connect(stores.facts["database"]):
        family = handles(stores.family())
        assert len(family) > len(stores.facts["pids"])
        stores.kill()
        wait_for_the_end(family)
    again = start()
    assert read(again.facts) == ("left behind", "left behind")
    # Printed addresses stay good.
    assert again.facts["database"] == stores.facts["database"]
    assert again.facts["redis"] == stores.facts["redis"]


def test_kill_9_of_everything_at_once_is_recovered_from(start: Start) -> None:
    stores = start()
    write(stores.facts)
    family = stores.family()
    ends = handles(family)
    stores.process.kill()
    for process in family:
        process.kill()
    stores.process.communicate(timeout=PATIENCE_SECONDS)
    wait_for_the_end(ends)
    assert read(start().facts)[0] == "left behind"


def test_a_process_number_that_is_used_again_keeps_nothing_from_starting(start: Start, folder: Path) -> None:
    stores = start()
    family = handles(stores.family())
    stores.kill()
    wait_for_the_end(family)
    # As after a restart of the machine: the numbers noted down are those of others now.
    home = Path(json.loads((folder / "stores.json").read_text())["home"])
    for note in ("valkey.pid", "postgresql.pid"):
        (home / note).write_text(f"{os.getpid()} 1")
    pid_file = home / "postgresql" / "postmaster.pid"
    lines = pid_file.read_text().splitlines() if pid_file.exists() else ["", str(home), "0", "0", "", "", ""]
    pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]))
    start()


def test_an_end_in_order_leaves_no_process(start: Start) -> None:
    stores = start()
    family = handles(stores.family())
    stores.stop()
    wait_for_the_end(family)


def test_a_second_start_on_the_folder_is_refused(start: Start, program: Callable[[], subprocess.Popen[str]]) -> None:
    stores = start()
    second = program()
    _, error = second.communicate(timeout=PATIENCE_SECONDS)
    assert second.returncode != 0
    assert f"in use by another Argus (process {stores.process.pid})" in error
    assert "stop that one, or choose another data folder" in error
    # And has done the first no harm.
    with Redis.from_url(stores.facts["redis"]) as client:
        assert client.ping()


def test_a_port_that_somebody_has_taken_is_given_up(start: Start) -> None:
    stores = start()
    stores.stop()
    port = psycopg.conninfo.conninfo_to_dict(stores.facts["database"])["port"]
    with socket.create_server(("127.0.0.1", int(port or 0))):
        again = start()
        assert again.facts["database"] != stores.facts["database"]
        again.stop()


def test_what_holds_a_secret_is_for_one_account(start: Start, folder: Path) -> None:
    start()
    assert (folder / "stores.json").stat().st_mode & 0o077 == 0
    home = Path(json.loads((folder / "stores.json").read_text())["home"])
    assert home.stat().st_mode & 0o077 == 0
    assert folder.stat().st_mode & 0o066 == 0


def test_a_server_whose_starter_is_gone_does_not_start() -> None:
    with pytest.raises(SystemExit, match="starter is gone"):
        launch.main(["1", "0", "-1", "-1", shutil.which("true") or "true"])


def test_an_unknown_postgresql_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreStartError, match=r"ARGUS_PG_BIN=.* holds no PostgreSQL 15"):
        find_binaries(tmp_path, None)
