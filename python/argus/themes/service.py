"""What can be done with themes."""

from collections.abc import Collection
from dataclasses import replace

from argus.base.clock import Now
from argus.base.events import Event
from argus.base.ids import tenant_name
from argus.base.origin import Origin
from argus.storage.postgres import Database
from argus.themes import store
from argus.themes.model import Theme, check_theme


class Themes:
    """The themes of all tenants."""

    def __init__(self, db: Database, now: Now) -> None:
        self._db = db
        self._now = now

    async def get(self, tenant_id: str) -> Theme:
        """The tenant's theme; one that says nothing where it has none."""
        return await store.find(self._db, tenant_id) or Theme()

    async def update(
        self, tenant_id: str, changed: Theme, *, paths: Collection[str], origin: Origin, within: str = ""
    ) -> Theme:
        """Changes the fields that `paths` name; a logo comes and goes with its type.

        Args:
            tenant_id: Whose theme.
            changed: The fields as they are to be.
            paths: Their names.
            origin: On whose behalf.
            within: What stands before the names of the fields in the request ("theme.").

        Raises:
            InvalidFieldError: Pages could not show it, or people could not read it.
            RequestAlreadyDoneError: The request was carried out before.
        """
        names = {*paths} | ({"logo_type"} if "logo" in paths else set())
        async with self._db.transaction(origin, now=self._now()) as tx:
            await tx.claim(tenant_name(tenant_id))
            before = await store.lock(tx, tenant_id) or Theme()
            after = replace(before, **{name: getattr(changed, name) for name in names})
            check_theme(after, within=within)
            await store.put(tx, tenant_id, after)
            tx.record(Event(type="theme.changed", data={"tenant": tenant_id}), time=self._now())
        return after
