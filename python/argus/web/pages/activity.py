"""Activity: what concerned the safety of an account, newest first."""

from typing import Final

from starlette.responses import Response
from starlette.routing import Route

from argus.flows.self.service import SelfService
from argus.web.pages.members import Member, Members
from argus.web.pages.paging import older_path, page_token
from argus.web.pages.site import Site

_SIZE: Final = 30


class ActivityPages:
    """The list."""

    def __init__(self, site: Site, members: Members, selves: SelfService) -> None:
        self._site = site
        self._members = members
        self._selves = selves

    def routes(self) -> list[Route]:
        """Where it is."""
        return self._members.route("/account/activity", self._list)

    async def _list(self, member: Member) -> Response:
        member.reader.bought.require("history")
        token = page_token(member.reader)
        found = await self._selves.events.page(member.oneself, size=_SIZE, page_token=token)
        return self._site.page(
            member.reader,
            "activity",
            section="activity",
            events=found.events,
            older=older_path(member.reader, found.next_page_token),
        )
