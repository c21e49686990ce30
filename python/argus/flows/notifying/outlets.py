"""By which mail server a tenant's mails go: its own, where it has one."""

import asyncio
import socket
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from argus.base.settings_mail import MailServer
from argus.mail.carriers import Smtp
from argus.mail.model import MailDelayedError
from argus.notifications.channels.model import Channel
from argus.notifications.channels.service import Channels
from argus.notifications.endpoints.addresses import AddressRules, EndpointRefusedError


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlet:
    """A mail server of a tenant.

    Attributes:
        channel_id: The channel that it stands in.
        sender: Address that mails come from.
    """

    channel_id: str
    carrier: Smtp
    sender: str


class Outlets:
    """The mail servers of tenants."""

    def __init__(self, channels: Channels, rules: AddressRules, *, ca_file: Path | None, timeout: timedelta) -> None:
        """Finds mail servers.

        Args:
            channels: Where they stand.
            rules: Where something may be sent.
            ca_file: Certificates to trust in place of the system's.
            timeout: Longest time that one mail may take.
        """
        self._channels = channels
        self._rules = rules
        self._ca_file = ca_file
        self._timeout = timeout

    async def of(self, tenant_id: str) -> Outlet | None:
        """The first one that is on; None: the installation's is taken."""
        for channel in await self._channels.list(tenant_id):
            if channel.kind == "smtp" and channel.state == "active":
                return await self.outlet(channel)
        return None

    async def outlet(self, channel: Channel) -> Outlet:
        """The mail server of a channel."""
        server = MailServer.parse(channel.url)
        secrets = await self._channels.secrets(channel.tenant_id, channel.channel_id) if channel.username else ()
        server = MailServer(
            host=server.host,
            port=server.port,
            is_tls=server.is_tls,
            is_starttls=server.is_starttls,
            username=channel.username,
            password=secrets[0] if secrets else "",
        )
        carrier = Smtp(server, ca_file=self._ca_file, timeout=self._timeout, dial=self._dial)
        return Outlet(channel_id=channel.channel_id, carrier=carrier, sender=channel.sender)

    async def _dial(self, host: str, port: int) -> socket.socket:
        """Connects to the first address that answers of those that were looked at, and to no other.

        Raises:
            MailDelayedError: Nothing is sent there.
            OSError: Nobody answers.
        """
        try:
            addresses = await self._rules.resolve(host, port)
        except EndpointRefusedError as error:
            raise MailDelayedError(f"ADDRESS_{error.rule}") from None
        for address in addresses[:-1]:
            with suppress(OSError):
                return await _connected(address, port)
        return await _connected(addresses[-1], port)


async def _connected(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    made.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_connect(made, (address, port))
    except BaseException:
        made.close()
        raise
    return made
