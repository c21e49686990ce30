"""A world whose Redis is a primary and a replica under three sentinels. Argus asks these who the primary is."""

import contextlib
from collections import Counter
from pathlib import Path
from typing import Any, Final

from redis.asyncio import Redis
from redis.exceptions import RedisError

from argus.storage.binaries import find_binaries
from drills.field.parts import LOOPBACK, Part, free_port, until
from drills.field.redis import RedisNode
from drills.field.world import World

SERVICE: Final = "argus"
SENTINELS: Final = 3
_DOWN_AFTER_MS: Final = 500
_SETTINGS: Final = """\
bind {host}
port {port}
dir {folder}
requirepass {password}
sentinel sentinel-pass {password}
sentinel monitor {service} {host} {primary} 2
sentinel auth-pass {service} {password}
sentinel down-after-milliseconds {service} {down_after}
sentinel failover-timeout {service} 3000
"""


class Sentinel(Part):
    """One sentinel."""

    def __init__(self, number: int, folder: Path, password: str) -> None:
        """Describes it; `launch` starts it.

        Args:
            number: From 1.
            folder: Its own folder is made there.
            password: Password of the sentinels and of the nodes.
        """
        super().__init__(f"sentinel-{number}", folder)
        self.port = free_port()
        self._password = password
        self._data = folder / f"{self.name}.data"
        self._data.mkdir()
        self._program = find_binaries(None, None).valkey
        self.client: Redis = Redis(host=LOOPBACK, port=self.port, password=password, socket_timeout=1)

    def launch(self, primary: RedisNode) -> None:
        """Starts it, to watch a primary."""
        config = self._data / "sentinel.conf"
        config.touch(0o600)
        config.write_text(
            _SETTINGS.format(
                host=LOOPBACK,
                port=self.port,
                folder=self._data,
                password=self._password,
                service=SERVICE,
                primary=primary.port,
                down_after=_DOWN_AFTER_MS,
            )
        )
        self.run([self._program, config, "--sentinel"])

    async def answers(self) -> bool:
        """Whether it knows the primary, the replica and the other sentinels, and finds them well."""
        with contextlib.suppress(RedisError, OSError):
            seen: Any = await self.client.sentinel_master(SERVICE)
            told = (seen["num-other-sentinels"], seen["num-slaves"], seen["is_sdown"])
            return bool(told == (SENTINELS - 1, 1, False))
        return False

    async def primary_port(self) -> int:
        """Port of the primary that it names; 0: none."""
        with contextlib.suppress(RedisError, OSError):
            named: Any = await self.client.sentinel_get_master_addr_by_name(SERVICE)
            return int(named[1]) if named else 0
        return 0

    async def fail_over(self) -> bool:
        """Has the replica promoted in good order; whether it takes the order."""
        with contextlib.suppress(RedisError, OSError):
            return bool(await self.client.sentinel_failover(SERVICE))
        return False

    async def close(self) -> None:
        """Closes the harness's own connections."""
        await self.client.aclose()


class SentinelWorld(World):
    """The same, but for Redis: its nodes are reached directly, where Sentinel says."""

    def __init__(self, folder: Path, toxiproxy: Path | None) -> None:
        """Describes it.

        Args:
            folder: Where everything goes.
            toxiproxy: Program of the network; None: everything is connected directly.
        """
        super().__init__(folder, toxiproxy)
        self.sentinels = [Sentinel(number, folder, self.password) for number in range(1, SENTINELS + 1)]

    @property
    def parts(self) -> list[Part]:
        """All processes, the ones that others need first."""
        return [*super().parts, *self.sentinels]

    async def start_redis(self) -> None:
        """Starts both nodes, and the sentinels, until all know each other."""
        for node in (self.redis, self.replica):
            node.launch()
            await node.answering()
        await self.replica.follow(self.redis.port)
        await self.replica.in_step()
        for sentinel in self.sentinels:
            sentinel.launch(self.redis)
        for sentinel in self.sentinels:
            await sentinel.answering()

    async def redis_url(self, _number: int) -> str:
        """The address of the service, by way of its sentinels."""
        hosts = ",".join(f"{LOOPBACK}:{sentinel.port}" for sentinel in self.sentinels)
        return f"redis+sentinel://:{self.password}@{hosts}/{SERVICE}?sentinel_password={self.password}"

    async def named(self) -> int:
        """Port of the primary that all sentinels name; 0: they don't agree."""
        ports = Counter([await sentinel.primary_port() for sentinel in self.sentinels])
        return next(iter(ports)) if len(ports) == 1 else 0

    async def failed_over(self) -> None:
        """Waits until the sentinels have made the replica the primary; it is `redis` from then on."""

        async def done() -> bool:
            return await self.named() == self.replica.port and await self.replica.leads()

        await until("the sentinels promote the replica", done)
        self.redis, self.replica = self.replica, self.redis

    async def made_whole(self) -> None:
        """Starts what was killed, and waits until the replica follows again and the sentinels find all well."""
        if not self.replica.process.running:
            self.replica.launch()
            await self.replica.answering()
        await self.redis.let_in()
        await self.replica.let_in()
        await self.replica.in_step()
        for sentinel in self.sentinels:
            await sentinel.answering()
