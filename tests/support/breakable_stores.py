"""Real stores that are killed, emptied, and put back to what they once were."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from redis import Redis

from argus import _core
from argus.storage.embedded import EmbeddedStores
from tests.support.processes import kill_postgresql

_AOF = "appendonlydir"
_BASE = "appendonly.aof.1.base.rdb"
_INCREMENT = "appendonly.aof.1.incr.aof"
_MANIFEST = f"file {_BASE} seq 1 type b\nfile {_INCREMENT} seq 1 type i\n"


class BreakableStores:
    """Valkey and PostgreSQL of one's own, from the side of whoever breaks them.

    Everything here blocks: the servers under test, which run in the same process, see a store that was away for as long
    as nobody could have asked it, or that is away when they are next let run.
    """

    def __init__(self, stores: EmbeddedStores) -> None:
        self.stores = stores
        self.redis = self._client()
        # Only what a machine loses that goes down is at stake, and recovery takes a tenth of the time.
        with psycopg.connect(stores.urls.database, autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET fsync = off")
            connection.execute("SELECT pg_reload_conf()")
        self._folder = Path(str(self.redis.config_get("dir")["dir"]))

    @property
    def has_redis(self) -> bool:
        """Whether Valkey runs."""
        return self.stores.valkey.running

    @property
    def has_postgresql(self) -> bool:
        """Whether PostgreSQL runs."""
        return self.stores.postgresql.running

    def kill_redis(self) -> None:
        """Ends Valkey without a warning; what it has answered to is in its log."""
        self.stores.valkey.kill()
        self.redis.close()

    def start_redis(self, *, offset_ms: int = 0) -> None:
        """Starts it from its files, and loads the functions with a clock that is off by so much."""
        self.stores.launch_valkey()
        self.stores.valkey.wait_until(self.stores._valkey_answers)
        self.redis = self._client()
        self.load_functions(offset_ms)

    def load_functions(self, offset_ms: int) -> None:
        """Loads the functions with a clock that is off by so much."""
        self.redis.function_load(_core.function_library(offset_ms=offset_ms), replace=True)

    def snapshot(self) -> bytes:
        """All that Valkey holds now, as it would be on a disk."""
        self.redis.save()
        return (self._folder / "dump.rdb").read_bytes()

    def put_back(self, snapshot: bytes | None) -> None:
        """Lays the files of a Valkey that is down back to a snapshot; None: to nothing."""
        shutil.rmtree(self._folder / _AOF, ignore_errors=True)
        if snapshot is None:
            return
        files = {_BASE: snapshot, _INCREMENT: b"", "appendonly.aof.manifest": _MANIFEST.encode()}
        owner = self._folder.stat()
        folder = self._folder / _AOF
        folder.mkdir(mode=0o700)
        for name, content in files.items():
            (folder / name).write_bytes(content)
        for path in (folder, *folder.iterdir()):
            os.chown(path, owner.st_uid, owner.st_gid)

    def kill_postgresql(self) -> None:
        """Ends PostgreSQL without a warning."""
        kill_postgresql(self.stores)

    def start_postgresql(self) -> None:
        """Starts it again; it recovers from its log."""
        self.stores.launch_postgresql()
        self.stores.postgresql.wait_until(self.stores._postgresql_answers)

    @contextmanager
    def redis_away(self, *, offset_ms: int = 0) -> Iterator[None]:
        """No Valkey inside the block."""
        self.kill_redis()
        try:
            yield
        finally:
            self.start_redis(offset_ms=offset_ms)

    @contextmanager
    def postgresql_away(self) -> Iterator[None]:
        """No PostgreSQL inside the block."""
        self.kill_postgresql()
        try:
            yield
        finally:
            self.start_postgresql()

    def close(self) -> None:
        """Closes the connection."""
        self.redis.close()

    def _client(self) -> Redis:
        return Redis.from_url(self.stores.urls.redis, socket_timeout=5)
