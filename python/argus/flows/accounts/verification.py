"""Marks an address as verified by a link in a mail."""

from argus.accounts.service import Links
from argus.base.clock import Now
from argus.base.events import Event
from argus.base.origin import Origin
from argus.flows.accounts.recovery import prove_address
from argus.storage.postgres import Database
from argus.users.service import Users


class Verification:
    """The second half of a verification; the first one is `Asking.verification`."""

    def __init__(self, db: Database, links: Links, users: Users, *, now: Now) -> None:
        self._db = db
        self._links = links
        self._users = users
        self._now = now

    async def complete(self, tenant_id: str, token: str, *, origin: Origin) -> str:
        """Verifies the address, and says which.

        Raises:
            LinkInvalidError: The token is not that of a good verification link, or the address is nobody's any more.
            UnavailableError: PostgreSQL is away; the token stays good.
        """
        link = await self._links.open(tenant_id, token, "verification", origin=origin)
        async with self._db.transaction(origin, now=self._now()) as tx:
            await prove_address(tx, self._links, self._users, link)
            tx.record(Event(type="identifier.verified", user_id=link.user_id))
        return link.address
