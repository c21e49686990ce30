"""Notices: which mails somebody gets of what happens to the account."""

from contextlib import suppress
from typing import Final

from starlette.responses import Response
from starlette.routing import Route

from argus.base.errors import RequestAlreadyDoneError
from argus.flows.accounts.notices import is_sent
from argus.flows.self.own_notices import OwnNotices
from argus.notifications.preferences.model import Preference
from argus.web.pages.members import Member, Members
from argus.web.pages.site import Site, see

_HERE: Final = "/account/notices"


class NoticePages:
    """The list, and its form."""

    def __init__(self, site: Site, members: Members, notices: OwnNotices) -> None:
        self._site = site
        self._members = members
        self._notices = notices

    def routes(self) -> list[Route]:
        """Where it is."""
        return self._members.route(_HERE, self._show, self._choose)

    async def _show(self, member: Member) -> Response:
        found = await self._of(member)
        is_saved = member.reader.request.query_params.get("done") == "saved"
        return self._site.page(
            member.reader,
            "notices",
            section="notices",
            chosen=[one for one in found if not one.required],
            required=[one for one in found if one.required],
            notice=member.reader.locale.text("notices.saved") if is_saved else "",
        )

    async def _choose(self, member: Member) -> Response:
        """Takes the boxes that are checked; of a form an empty one says nothing, which is no."""
        said = {one.notice: one.notice in member.reader.form for one in await self._of(member) if not one.required}
        with suppress(RequestAlreadyDoneError):
            await self._notices.choose(member.oneself, said, origin=member.reader.visit.origin)
        return see(member.reader, f"{_HERE}?done=saved")

    async def _of(self, member: Member) -> list[Preference]:
        """Those that the tenant's plan sends."""
        bought = member.reader.bought
        return [one for one in await self._notices.all(member.oneself) if is_sent(one.notice, bought)]
