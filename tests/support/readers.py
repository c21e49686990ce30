"""Users, and the mails that they get."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.support.account_links import Post
from tests.support.oneself import Acting
from tests.support.people import Person, new_person

if TYPE_CHECKING:
    from tests.support.mails import MailServer, Received
    from tests.support.stack import Stack


@dataclass(frozen=True, slots=True)
class Reader:
    """A user, and the mails that it gets.

    Attributes:
        seen: How many mails there were, by address.
    """

    post: Post
    person: Person
    seen: dict[str, int] = field(default_factory=dict)

    async def mails(self, address: str = "") -> list[Received]:
        """What has come since the last time, once nothing waits."""
        address = address or self.person.identifier
        db = self.post.stack.argus.db
        while await db.fetch_one("SELECT 1 FROM mails WHERE recipient = %s LIMIT 1", (address,)):
            await self.post.carry_out()
        found = self.post.mails.of(address)
        before, self.seen[address] = self.seen.get(address, 0), len(found)
        return found[before:]

    async def told(self, address: str = "") -> dict[str, int]:
        """The subjects of those, and how often each."""
        return Counter(one.subject for one in await self.mails(address))

    async def only(self) -> Received:
        """The one mail that has come."""
        (mail,) = await self.mails()
        return mail


async def new_reader(stack: Stack, mails: MailServer) -> Reader:
    """A new user of a tenant of its own."""
    post = Post(stack=stack, api=await stack.new_tenant(), mails=mails)
    return Reader(post, await new_person(post.api))


async def acting(reader: Reader) -> Acting:
    """A session by password, which nobody is to be told of."""
    own = Acting(reader.post.api, await reader.person.sign_in())
    await reader.mails()
    return own
