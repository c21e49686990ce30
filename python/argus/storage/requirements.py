"""What Argus needs of its stores; `argus serve` refuses to start without it, `argus doctor` shows it."""

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psycopg
from redis import Redis
from redis.exceptions import RedisError
from redis.sentinel import Sentinel

from argus.base.redis_url import RedisUrl
from argus.storage.migrate import MigrationError, pending_migrations

OLDEST_REDIS: Final = (7, 0)
OLDEST_POSTGRESQL: Final = 15
MAX_CLOCK_SKEW_SECONDS: Final = 1.0
_POSTGRESQL_NUMBER: Final = 10_000
_DOCTOR: Final[dict[str, Any]] = {"connect_timeout": 5, "application_name": "argus doctor"}


class StoreRequirementError(Exception):
    """The stores are not what Argus needs; each problem says what to do."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        what: Its name ("redis.version").
        found: What is there.
        problem: What is wrong and what to do; empty: nothing.
        advice: What could be better and how; empty: nothing.
    """

    what: str
    found: str
    problem: str = ""
    advice: str = ""


def require_stores(redis_url: str, database_url: str, *, redis_ca_file: Path | None = None) -> None:
    """Refuses stores that Argus can't keep its promises on.

    Raises:
        StoreRequirementError: Says what is wrong and what to do.
    """
    findings = inspect_stores(redis_url, database_url, redis_ca_file=redis_ca_file)
    if problems := [finding.problem for finding in findings if finding.problem]:
        raise StoreRequirementError(problems)


def inspect_stores(redis_url: str, database_url: str, *, redis_ca_file: Path | None = None) -> list[Finding]:
    """Looks at everything that Argus needs of its stores, and at how far its schema is."""
    return [*_inspect_redis(redis_url, redis_ca_file), *_inspect_postgresql(database_url)]


def judge_redis(information: dict[str, Any]) -> Iterator[Finding]:
    """Judges what Redis says of itself (INFO)."""
    version = str(information.get("redis_version", "0"))
    wanted = ".".join(map(str, OLDEST_REDIS))
    name = f"{information.get('server_name', 'redis')} {information.get('valkey_version', version)}"
    yield Finding(
        what="redis.version",
        found=name,
        problem=""
        if _numbers(version) >= OLDEST_REDIS
        else f"Redis {version} is too old: Argus needs Redis {wanted} or newer (functions), or Valkey",
    )
    policy = str(information.get("maxmemory_policy", "unknown"))
    yield Finding(
        what="redis.maxmemory-policy",
        found=policy,
        problem=""
        if policy == "noeviction"
        else f"Redis evicts ({policy}), and an evicted record is a lost one: set maxmemory-policy noeviction",
    )

    role = str(information.get("role", "master"))
    yield Finding(
        what="redis.role",
        found={"slave": "replica"}.get(role, "primary"),
        problem="this Redis is a replica: let ARGUS_REDIS_URL name the primary, or the sentinels"
        if role == "slave"
        else "",
    )


def judge_clock(redis_seconds: float, own_seconds: float) -> Finding:
    """Judges how far this machine's clock is off Redis's."""
    skew = own_seconds - redis_seconds
    return Finding(
        what="clock",
        found=f"{skew:+.3f} s off Redis",
        problem=""
        if abs(skew) <= MAX_CLOCK_SKEW_SECONDS
        else f"this machine's clock is {skew:+.1f} s off that of Redis: synchronize both (chrony, systemd-timesyncd)",
    )


def judge_postgresql(version: int) -> Finding:
    """Judges PostgreSQL's version, as `server_version_num`."""
    major = version // _POSTGRESQL_NUMBER
    return Finding(
        what="postgresql.version",
        found=str(major),
        problem=""
        if major >= OLDEST_POSTGRESQL
        else f"PostgreSQL {major} is too old: Argus needs {OLDEST_POSTGRESQL} or newer",
    )


def judge_role(is_standby: str) -> Finding:
    """Judges whether PostgreSQL is the primary, by its parameter `in_hot_standby`."""
    return Finding(
        what="postgresql.role",
        found="standby" if is_standby == "on" else "primary",
        problem=""
        if is_standby != "on"
        else "PostgreSQL is a standby: what it says may be old, and it takes no change; let ARGUS_DATABASE_URL lead to"
        " the primary (postgresql://user@one,two/argus finds it among several)",
    )


def _inspect_redis(url: str, ca_file: Path | None) -> Iterator[Finding]:
    tls: dict[str, Any] = {"ssl_ca_certs": str(ca_file)} if ca_file else {}
    options = {"socket_timeout": 5, "socket_connect_timeout": 5, **tls}
    try:
        with closing(Redis.from_url(_primary_url(RedisUrl.parse(url), options), **options)) as client:
            yield from judge_redis(dict(client.info()))
            before = time.time()
            seconds, microseconds = client.time()
            yield judge_clock(seconds + microseconds / 1e6, (before + time.time()) / 2)
    except RedisError as error:
        yield Finding(
            what="redis",
            found="none",
            problem=f"Redis can't be reached ({error}): is it running, is ARGUS_REDIS_URL right?",
        )


def _primary_url(url: RedisUrl, options: dict[str, Any]) -> str:
    if not url.service:
        return url.text
    access = {"username": url.sentinel_username or None, "password": url.sentinel_password or None}
    make: Any = Sentinel
    sentinels = make(url.hosts, sentinel_kwargs={"ssl": url.is_encrypted, **access, **options})
    return url.at(*sentinels.discover_master(url.service))


def _inspect_postgresql(url: str) -> Iterator[Finding]:
    try:
        with _connect(url) as connection:
            yield judge_postgresql(connection.info.server_version)
            yield judge_role(connection.info.parameter_status("in_hot_standby") or "")
        pending = pending_migrations(url)
    except psycopg.Error as error:
        problem = f"PostgreSQL can't be reached ({error}): is it running, is ARGUS_DATABASE_URL right?"
        yield Finding(what="postgresql", found="none", problem=problem)
    except MigrationError as error:
        yield Finding(what="postgresql.schema", found="not this release's", problem=str(error))
    else:
        yield Finding(
            what="postgresql.schema",
            found=f"{len(pending)} migrations to apply" if pending else "up to date",
            problem="the schema is behind this release: run argus migrate" if pending else "",
        )


def _connect(url: str) -> psycopg.Connection:
    """The primary among the servers of the URL; where there is none, whoever answers."""
    try:
        return psycopg.connect(url, target_session_attrs="read-write", **_DOCTOR)
    except psycopg.OperationalError:
        return psycopg.connect(url, **_DOCTOR)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2] if part.isdecimal())
