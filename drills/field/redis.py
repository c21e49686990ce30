"""A Valkey (or Redis) node that can be rolled back, emptied, and made a replica."""

import contextlib
import shutil
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Final

from redis.asyncio import Redis
from redis.exceptions import RedisError

from argus import _core
from argus.storage.binaries import find_binaries
from drills.field.parts import LOOPBACK, Part, free_port, until

_SETTINGS: Final = """\
bind {host}
port {port}
requirepass {password}
masterauth {password}
dir {folder}
maxmemory-policy noeviction
appendfsync everysec
save ""
repl-diskless-sync-delay 0
repl-ping-replica-period 1
repl-timeout 10
"""
_AOF: Final = ("--appendonly", "yes")
_CALL_SECONDS: Final = 1.0


class RedisNode(Part):
    """One node, with a log of writes (AOF) like a careful operator's."""

    def __init__(self, name: str, folder: Path, password: str) -> None:
        """Describes it; `launch` starts it.

        Args:
            name: For messages and files.
            folder: Its own folder is made there.
            password: Password of all nodes.
        """
        super().__init__(name, folder)
        self.port = free_port()
        self._password = password
        self._data = folder / f"{name}.data"
        self._data.mkdir()
        self._program = find_binaries(None, None).valkey
        self._config = folder / f"{name}.conf"
        settings = _SETTINGS.format(host=LOOPBACK, port=self.port, password=password, folder=self._data)
        self._config.touch(0o600)
        self._config.write_text(settings)
        self._snapshot = folder / f"{name}.snapshot"
        self.client: Redis = Redis(
            host=LOOPBACK,
            port=self.port,
            password=password,
            socket_timeout=_CALL_SECONDS,
            socket_connect_timeout=_CALL_SECONDS,
        )
        self._ask: Callable[..., Awaitable[Any]] = self.client.execute_command

    def url(self, port: int = 0) -> str:
        """Where it answers; by another port, if a proxy is in front."""
        return f"redis://:{self._password}@{LOOPBACK}:{port or self.port}/0"

    def launch(self, *options: str) -> None:
        """Starts it with what is in its folder."""
        self.run([self._program, self._config, *(options or _AOF)])

    async def answers(self) -> bool:
        """Whether it answers, and has loaded its data."""
        with contextlib.suppress(RedisError, OSError):
            return bool(await self._ask("PING"))
        return False

    def wipe(self) -> None:
        """Deletes what it has stored; it must not run."""
        shutil.rmtree(self._data)
        self._data.mkdir()

    async def take_snapshot(self) -> None:
        """Saves all data of now (SAVE) and keeps a copy."""
        await self._ask("SAVE")
        shutil.copy(self._data / "dump.rdb", self._snapshot)

    async def launch_from_snapshot(self) -> None:
        """Starts a killed one with the data of the snapshot, as one restores a backup."""
        self.wipe()
        shutil.copy(self._snapshot, self._data / "dump.rdb")
        # With the log of writes on, the server would look for the log alone.
        self.launch("--appendonly", "no")
        await self.answering()
        await self._ask("CONFIG SET", "appendonly", "yes")

    async def empty(self) -> None:
        """FLUSHALL."""
        await self._ask("FLUSHALL")

    async def changes(self) -> int:
        """How many changes of keys it has made since the last snapshot, or its start."""
        info = await self.client.info("persistence")
        return int(info["rdb_changes_since_last_save"])

    async def follow(self, port: int) -> None:
        """Becomes a replica of what listens there."""
        await self._ask("REPLICAOF", LOOPBACK, port)

    async def lead(self) -> None:
        """Becomes a primary."""
        await self._ask("REPLICAOF", "NO", "ONE")

    async def leads(self) -> bool:
        """Whether it is a primary."""
        with contextlib.suppress(RedisError, OSError):
            return bool((await self.client.info("replication"))["role"] == "master")
        return False

    async def lock_out(self, replica: "RedisNode") -> None:
        """Cuts its replica off without moving it: the replica has a wrong password until `let_in`."""
        await replica.client.config_set("masterauth", "wrong")
        await self._ask("CLIENT KILL", "TYPE", "replica")

    async def let_in(self) -> None:
        """Gives a replica that was locked out the right password again."""
        await self.client.config_set("masterauth", self._password)

    async def is_in_step(self) -> bool:
        """Whether it is a replica that has its primary's data."""
        with contextlib.suppress(RedisError, OSError):
            info = await self.client.info("replication")
            return bool(info["role"] == "slave" and info["master_link_status"] == "up")
        return False

    async def in_step(self) -> None:
        """Waits until it is a replica that has its primary's data."""
        await until(f"{self.name} follows", self.is_in_step)

    async def records(self, session_ids: Sequence[str]) -> dict[str, _core.SessionRecord]:
        """What it holds of living sessions, by id; tombstones are left out."""
        keys = [_core.Keyspace.session_key(session_id).decode() for session_id in session_ids]
        values: list[Any] = await self.client.mget(keys) if keys else []
        found = {}
        for session_id, value in zip(session_ids, values, strict=True):
            with contextlib.suppress(ValueError):
                if value:
                    found[session_id] = _core.SessionRecord.from_bytes(value)
        return found

    async def close(self) -> None:
        """Closes the harness's own connections."""
        await self.client.aclose()
