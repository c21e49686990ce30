"""What can be done with preferences."""

from collections.abc import Mapping, Sequence

from argus.base.clock import Now
from argus.base.errors import InvalidFieldError
from argus.base.events import Event
from argus.base.ids import user_name
from argus.base.origin import Origin
from argus.notifications.preferences import store
from argus.notifications.preferences.model import OPTIONAL, REQUIRED, NoticeRequiredError, Preference
from argus.storage.postgres import Database, Transaction


class Preferences:
    """Which notices users want."""

    def __init__(self, db: Database, *, now: Now) -> None:
        self._db = db
        self._now = now

    async def of(self, tenant_id: str, user_id: str) -> Sequence[Preference]:
        """Every notice, by name."""
        return _all(await store.of_user(self._db, tenant_id, user_id))

    async def update(
        self, tenant_id: str, user_id: str, said: Mapping[str, bool], *, origin: Origin
    ) -> Sequence[Preference]:
        """Changes which notices a user gets by mail; the rest stays as it was.

        Raises:
            InvalidFieldError: There is no such notice.
            NoticeRequiredError: One can't be switched off.
            RequestAlreadyDoneError: The request was carried out before.
        """
        for place, (notice, is_wanted) in enumerate(said.items()):
            if notice not in REQUIRED | OPTIONAL.keys():
                known = ", ".join(sorted(REQUIRED | OPTIONAL.keys()))
                raise InvalidFieldError(f"preferences[{place}].notice", f"must be one of {known}")
            if notice in REQUIRED and not is_wanted:
                raise NoticeRequiredError(notice)
        now = self._now()
        async with self._db.transaction(origin, now=now) as tx:
            await tx.claim(user_name(tenant_id, user_id), now=now)
            await store.write(tx, tenant_id, user_id, said)
            data = {
                "on": " ".join(one for one in said if said[one]),
                "off": " ".join(one for one in said if not said[one]),
            }
            tx.record(Event(type="preferences.updated", user_id=user_id, data=data), time=now)
            return _all(await store.of_user(tx, tenant_id, user_id))

    async def remove_user(self, tx: Transaction, tenant_id: str, user_id: str) -> None:
        """Forgets what a user wanted that is deleted, within `tx`."""
        await store.delete_of_user(tx, tenant_id, user_id)

    async def unwanted(self, tx: Transaction, asked: Sequence[tuple[str, str, str]]) -> set[tuple[str, str, str]]:
        """Which of these (tenant, user, notice) are not wanted by mail; what protects the account always is."""
        optional = [one for one in asked if one[2] in OPTIONAL]
        said = await store.said(tx, optional) if optional else {}
        return {one for one in optional if not said.get(one, OPTIONAL[one[2]])}


def _all(said: Mapping[str, bool]) -> Sequence[Preference]:
    return [
        Preference(notice=one, mail=one in REQUIRED or said.get(one, OPTIONAL[one]), required=one in REQUIRED)
        for one in sorted(REQUIRED | OPTIONAL.keys())
    ]
