"""What can be done with the words of notices."""

from collections.abc import Sequence

from argus.base import pages
from argus.base.clock import Now
from argus.base.errors import PageTokenInvalidError
from argus.base.events import Event
from argus.base.ids import tenant_name
from argus.base.origin import Origin
from argus.notifications.wordings import store
from argus.notifications.wordings.model import Medium, TemplateNotFoundError, Wording, check
from argus.storage.postgres import Database

_PARTS = 3


class Wordings:
    """The words that tenants say themselves."""

    def __init__(self, db: Database, *, now: Now) -> None:
        self._db = db
        self._now = now

    async def find(self, tenant_id: str, medium: Medium, notice: str, locale: str) -> Wording | None:
        """The tenant's own words; None: Argus's."""
        return await store.find(self._db, tenant_id, medium, notice, locale)

    async def set(self, tenant_id: str, wording: Wording, *, origin: Origin) -> Wording:
        """Says a notice in these words from now on.

        Raises:
            TemplateInvalidError: They can't be used.
            RequestAlreadyDoneError: The request was carried out before.
        """
        check(wording)
        now = self._now()
        async with self._db.transaction(origin, now=now) as tx:
            await tx.claim(tenant_name(tenant_id), now=now)
            await store.write(tx, tenant_id, wording)
            tx.record(Event(type="template.set", data=_named(wording)), time=now)
        return wording

    async def delete(self, tenant_id: str, wording: Wording, *, origin: Origin) -> None:
        """Says a notice in Argus's words again; only notice, medium and locale count.

        Raises:
            TemplateNotFoundError: The tenant has none of its own.
            RequestAlreadyDoneError: The request was carried out before.
        """
        now = self._now()
        async with self._db.transaction(origin, now=now) as tx:
            await tx.claim(tenant_name(tenant_id), now=now)
            if not await store.delete(tx, tenant_id, wording):
                raise TemplateNotFoundError(wording.notice, wording.medium, wording.locale)
            tx.record(Event(type="template.deleted", data=_named(wording)), time=now)

    async def page(self, tenant_id: str, *, size: int, page_token: str = "") -> tuple[Sequence[Wording], str]:
        """A page of the tenant's own templates, and the token of the next one ("": this is the last).

        Raises:
            PageTokenInvalidError: The token is of another list.
        """
        kind = f"templates:{tenant_id}"
        key = tuple(pages.decode_page(kind, page_token)) if page_token else ("", "", "")
        if len(key) != _PARTS:
            raise PageTokenInvalidError
        found = await store.page(self._db, tenant_id, after=(key[0], key[1], key[2]), limit=size + 1)
        if len(found) <= size:
            return found, ""
        last = found[size - 1]
        return found[:size], pages.encode_page(kind, (last.medium, last.notice, last.locale))


def _named(wording: Wording) -> dict[str, str]:
    return {"notice": wording.notice, "medium": wording.medium, "locale": wording.locale}
