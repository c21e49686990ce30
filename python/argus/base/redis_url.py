"""The address of Redis: of one server, or of a service that sentinels watch.

`redis://[user:password@]host[:6379][/db]`, or
`redis+sentinel://[user:password@]host[:26379][,host…]/service[?db=0&sentinel_username=…&sentinel_password=…]`;
`rediss` in the place of `redis` for TLS, to the sentinels as well. The user and password before the hosts are those
of the data nodes.
"""

import re
from dataclasses import dataclass, field
from typing import Any, Final, Self
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from argus.base.listen import split_address

_SENTINEL: Final = {"redis+sentinel": False, "rediss+sentinel": True}
_SINGLE: Final = {"redis": False, "rediss": True}
_PORT, _SENTINEL_PORT = 6379, 26379
# What Sentinel itself takes for a name.
_SERVICE: Final = re.compile(r"[A-Za-z0-9._-]{1,100}")
_OPTIONS: Final = {"db", "sentinel_username", "sentinel_password"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisUrl:
    """A parsed address.

    Attributes:
        text: The whole of it.
        hosts: The server, or the sentinels.
        service: Name of the service that the sentinels watch; empty: there are none.
        is_encrypted: TLS.
        username: User of the data nodes; empty: the default user.
        password: Its password; empty: none.
        database: Number of the database.
        sentinel_username: User of the sentinels.
        sentinel_password: Its password.
    """

    text: str = field(repr=False)
    hosts: tuple[tuple[str, int], ...]
    is_encrypted: bool
    service: str = ""
    username: str = ""
    password: str = field(default="", repr=False)
    database: int = 0
    sentinel_username: str = ""
    sentinel_password: str = field(default="", repr=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Takes an address apart.

        Raises:
            ValueError: It is none; the message says what to write and repeats nothing of it.
        """
        scheme, separator, _ = text.partition("://")
        if not separator or scheme not in _SENTINEL | _SINGLE:
            raise ValueError("say a redis://, rediss://, redis+sentinel:// or rediss+sentinel:// address")
        parts = urlsplit(text)
        credentials, _, hosts = parts.netloc.rpartition("@")
        username, _, password = credentials.partition(":")
        common: dict[str, Any] = {"text": text, "username": unquote(username), "password": unquote(password)}
        if scheme in _SINGLE:
            # What else stands in it is the client libraries' to understand.
            return cls(hosts=(_host(hosts or "localhost", _PORT),), is_encrypted=_SINGLE[scheme], **common)
        options = dict(parse_qsl(parts.query, keep_blank_values=True))
        if unknown := options.keys() - _OPTIONS:
            raise ValueError(
                f"{len(unknown)} unknown option(s) after the question mark: say {', '.join(sorted(_OPTIONS))}"
            )
        service, database = parts.path.removeprefix("/"), options.get("db", "0")
        if not _SERVICE.fullmatch(service):
            raise ValueError("name the service after the hosts: redis+sentinel://host1,host2,host3/service")
        if not database.isdecimal():
            raise ValueError("db must be a number")
        return cls(
            hosts=_hosts(hosts),
            is_encrypted=_SENTINEL[scheme],
            service=service,
            database=int(database),
            sentinel_username=options.get("sentinel_username", ""),
            sentinel_password=options.get("sentinel_password", ""),
            **common,
        )

    def at(self, host: str, port: int) -> str:
        """The address of one data node of the service."""
        scheme = "rediss" if self.is_encrypted else "redis"
        credentials = f"{quote(self.username, safe='')}:{quote(self.password, safe='')}@" if self.password else ""
        return f"{scheme}://{credentials}{f'[{host}]' if ':' in host else host}:{port}/{self.database}"


def _hosts(text: str) -> tuple[tuple[str, int], ...]:
    hosts = tuple(_host(one, _SENTINEL_PORT) for one in text.split(","))
    if len(set(hosts)) < len(hosts):
        raise ValueError("each sentinel must be named once")
    return hosts


def _host(text: str, port: int) -> tuple[str, int]:
    has_port = ":" in text.rpartition("]")[2]
    return split_address(text if has_port else f"{text}:{port}")
