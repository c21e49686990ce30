"""A small Redis (or Valkey) under Sentinel: a primary, replicas and three sentinels, all real and of one's own.

To be started from the main thread: the servers end with the thread that starts them, whatever ends it.
"""

import contextlib
import functools
import secrets
import signal
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, Self

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from argus.storage.processes import ServerProcess
from tests.support.servers import free_ports

SERVICE: Final = "argus"
DOWN_AFTER_MS: Final = 500
SENTINELS: Final = 3
PATIENCE_SECONDS: Final = 60.0
"""How long anything may take before a test gives up; what is waited for usually takes a few seconds."""

_HOST: Final = "127.0.0.1"
_NODE: Final = """\
bind {host}
port {port}
dir {folder}
requirepass {password}
masterauth {password}
maxmemory-policy noeviction
appendonly no
save ""
repl-diskless-sync-delay 0
enable-debug-command local
{more}
"""
_SENTINEL: Final = """\
bind {host}
port {port}
dir {folder}
requirepass {sentinel_password}
sentinel sentinel-pass {sentinel_password}
sentinel monitor {service} {host} {primary} 2
sentinel auth-pass {service} {password}
sentinel down-after-milliseconds {service} {down_after}
sentinel failover-timeout {service} 3000
"""


def wait_until(what: str, condition: Callable[[], bool], *, seconds: float = PATIENCE_SECONDS) -> None:
    """Waits for something that other processes bring about."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {seconds} s"
        time.sleep(0.02)


class Node:
    """One server of the bed."""

    def __init__(self, name: str, program: Path, folder: Path, port: int, password: str) -> None:
        self.name = name
        self.port = port
        self._arguments: list[str | Path] = [program, folder / f"{name}.conf"]
        self._folder = folder
        self._process = ServerProcess(
            name, folder=folder, account=None, stop_signal=signal.SIGTERM, orphan_signal=signal.SIGKILL
        )
        self.client: Any = Redis(
            host=_HOST,
            port=port,
            password=password,
            socket_timeout=1,
            socket_connect_timeout=1,
            retry=Retry(NoBackoff(), 0),
        )

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        return _HOST, self.port

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """It has been launched and lives, be it paused or not."""
        return self._process.running

    def configure(self, text: str, *options: str) -> None:
        """Writes its configuration, which Sentinel changes later, and the options of its command line."""
        (self._folder / f"{self.name}.conf").write_text(text)
        self._arguments += options

    def launch(self) -> None:
        """Starts it (again), and waits for its first answer."""
        self._process.launch(self._arguments, cwd=self._folder)
        self._process.wait_until(self.answers)

    def kill(self) -> None:
        """Ends it at once; what it held in memory is lost."""
        self.client.close()
        self._process.kill()

    def pause(self) -> None:
        """Stops it: its connections stay, and nobody gets an answer."""
        self._process.signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Lets it go on where it was."""
        self._process.signal(signal.SIGCONT)

    def answers(self) -> bool:
        """It answers now."""
        with contextlib.suppress(RedisError):
            return bool(self.client.ping())
        return False

    def info(self, section: str = "replication") -> dict[str, Any]:
        """What it says of itself."""
        found: dict[str, Any] = self.client.info(section)
        return found

    def is_replica_of(self, primary: "Node") -> bool:
        """It follows the primary, and has all that it had."""
        with contextlib.suppress(RedisError):
            found = self.info()
            return (found["role"], found.get("master_port"), found.get("master_link_status")) == (
                "slave",
                primary.port,
                "up",
            )
        return False


class SentinelBed:
    """The servers, from their start to their end."""

    def __init__(
        self, folder: Path, program: Path, *, replicas: int = 1, options: Sequence[str] = (), down_after_ms: int = 0
    ) -> None:
        """Describes the bed.

        Args:
            folder: Where the servers keep their files.
            program: The server; it is a sentinel, too.
            replicas: How many follow the primary.
            options: Lines for the configuration of primary and replicas ("min-replicas-to-write 1").
            down_after_ms: After so long without an answer a sentinel takes a primary for down; 0: half a second.
        """
        self.password, self.sentinel_password = secrets.token_hex(8), secrets.token_hex(8)
        ports = free_ports(1 + replicas + SENTINELS)
        self._more = "\n".join(options)
        self._down_after_ms = down_after_ms or DOWN_AFTER_MS
        folder.mkdir(parents=True, exist_ok=True)
        self.nodes = [
            Node(f"node-{number}", program, folder, ports.pop(), self.password) for number in range(1 + replicas)
        ]
        self.sentinels = [
            Node(f"sentinel-{number}", program, folder, ports.pop(), self.sentinel_password)
            for number in range(SENTINELS)
        ]
        self._folder = folder

    @property
    def url(self) -> str:
        """What Argus is to be given."""
        return self.url_of(self.sentinels)

    def url_of(self, sentinels: Sequence[Node]) -> str:
        """The address by way of some of the sentinels."""
        hosts = ",".join(f"{_HOST}:{one.port}" for one in sentinels)
        return f"redis+sentinel://:{self.password}@{hosts}/{SERVICE}?sentinel_password={self.sentinel_password}"

    def direct_url(self, node: Node) -> str:
        """The address of one node, without Sentinel."""
        return f"redis://:{self.password}@{_HOST}:{node.port}/0"

    def start(self) -> None:
        """Starts everything, and waits until the sentinels know each other and all replicas."""
        first, *replicas = self.nodes
        common = {"host": _HOST, "folder": self._folder, "password": self.password}
        for node in self.nodes:
            node.configure(_NODE.format(port=node.port, more=self._more, **common))
        first.launch()
        for replica in replicas:
            replica.launch()
            replica.client.replicaof(*first.address)
            replica.client.config_rewrite()
        for replica in replicas:
            wait_until(f"{replica.name} follows", functools.partial(replica.is_replica_of, first))
        for sentinel in self.sentinels:
            text = _SENTINEL.format(
                port=sentinel.port,
                primary=first.port,
                service=SERVICE,
                sentinel_password=self.sentinel_password,
                down_after=self._down_after_ms,
                **common,
            )
            sentinel.configure(text, "--sentinel")
            sentinel.launch()
        for sentinel in self.sentinels:
            wait_until(f"{sentinel.name} knows all", functools.partial(self._knows_all, sentinel))

    def stop(self) -> None:
        """Ends everything."""
        for node in (*self.sentinels, *self.nodes):
            node.kill()

    def __enter__(self) -> Self:
        """Starts everything."""
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Ends everything."""
        self.stop()

    def primary(self) -> Node:
        """The node that most sentinels name."""
        named = Counter(self._named_by(sentinel) for sentinel in self.sentinels if sentinel.is_running)
        port = named.most_common(1)[0][0]
        return next(node for node in self.nodes if node.port == port)

    def replicas(self) -> list[Node]:
        """The other nodes."""
        primary = self.primary()
        return [node for node in self.nodes if node is not primary]

    def wait_for_another(self, than: Node) -> Node:
        """Waits until all sentinels that run name another primary, and that it says it is one; returns it."""

        def is_done() -> bool:
            named = {self._named_by(sentinel) for sentinel in self.sentinels if sentinel.is_running}
            if len(named) != 1 or than.port in named:
                return False
            with contextlib.suppress(RedisError, StopIteration):
                node = next(node for node in self.nodes if node.port in named)
                return bool(node.info()["role"] == "master")
            return False

        wait_until(f"another primary than {than.name}", is_done)
        return self.primary()

    def wait_for_replicas(self) -> None:
        """Waits until every other node follows the primary."""
        wait_until(
            "all nodes follow the primary",
            lambda: all(node.is_replica_of(self.primary()) for node in self.nodes if node is not self.primary()),
        )

    def fail_over(self) -> Node:
        """Kills the primary and waits for the next one."""
        old = self.primary()
        old.kill()
        return self.wait_for_another(old)

    def hand_over(self) -> Node:
        """Has the sentinels promote a replica in good order, and waits for it."""
        old = self.primary()
        wait_until("the sentinels take the order", self._orders_failover)
        return self.wait_for_another(old)

    def _orders_failover(self) -> bool:
        with contextlib.suppress(RedisError):
            return bool(self.sentinels[0].client.execute_command("SENTINEL FAILOVER", SERVICE))
        return False

    def _named_by(self, sentinel: Node) -> int:
        with contextlib.suppress(RedisError):
            named = sentinel.client.execute_command("SENTINEL GET-MASTER-ADDR-BY-NAME", SERVICE)
            return int(named[1]) if named else 0
        return 0

    def _knows_all(self, sentinel: Node) -> bool:
        with contextlib.suppress(RedisError):
            seen = sentinel.client.sentinel_master(SERVICE)
            return (seen["num-other-sentinels"], seen["num-slaves"], seen["is_sdown"]) == (
                SENTINELS - 1,
                len(self.nodes) - 1,
                False,
            )
        return False
