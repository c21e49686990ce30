"""Where the primary of a service is, by what its sentinels say."""

import asyncio
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from redis import exceptions
from redis.asyncio import Redis as Client
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from argus.base.redis_url import RedisUrl

# A sentinel that takes longer must not keep the lease waiting.
_LONGEST: Final = timedelta(milliseconds=500)

Address = tuple[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Located:
    """What the sentinels say.

    Attributes:
        address: The node that most of those name that answer.
        is_agreed: More than half of all sentinels name it. One that is cut off from the others may go on naming a
            primary that they have replaced; it must not bring that one back.
    """

    address: Address
    is_agreed: bool


class Sentinels:
    """All sentinels of a service, each asked for itself.

    The client library asks one after the other and believes the first that answers; here it matters how many agree.
    """

    def __init__(self, url: RedisUrl, *, tls: dict[str, Any], timeout: timedelta) -> None:
        """Connects at the first use.

        Args:
            url: Address of the service.
            tls: Arguments of the client library for TLS.
            timeout: Longest wait for an answer; at most half a second counts.
        """
        self._service = url.service
        seconds = min(timeout, _LONGEST).total_seconds()
        self._clients: list[Any] = [
            Client(
                host=host,
                port=port,
                username=url.sentinel_username or None,
                password=url.sentinel_password or None,
                ssl=url.is_encrypted,
                socket_timeout=seconds,
                socket_connect_timeout=seconds,
                retry=Retry(NoBackoff(), 0),
                **tls,
            )
            for host, port in url.hosts
        ]
        self._longest = 2 * seconds

    async def locate(self) -> Located | None:
        """The primary, or None if no sentinel names one."""
        answers = await asyncio.gather(*(self._ask(client) for client in self._clients))
        named = Counter(answer for answer in answers if answer is not None)
        if not named:
            return None
        address, count = named.most_common(1)[0]
        return Located(address=address, is_agreed=2 * count > len(self._clients))

    async def close(self) -> None:
        """Closes all connections."""
        for client in self._clients:
            await client.aclose()

    async def _ask(self, client: Any) -> Address | None:
        try:
            async with asyncio.timeout(self._longest):
                found = await client.execute_command("SENTINEL GET-MASTER-ADDR-BY-NAME", self._service)
        except (exceptions.RedisError, OSError, TimeoutError):
            return None
        if not found:
            return None
        host, port = found
        return host.decode() if isinstance(host, bytes) else str(host), int(port)
