"""Takes users over from another system, with the hashes of their passwords and their groups.

Each stands for itself: one that is refused keeps none of the others out. Whoever is there already stays as it is, so
that a file can be imported again after it was cut short, and nobody's newer password is lost by that.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from argus.base.clock import Now
from argus.base.errors import ArgusError, InvalidFieldError, OverloadedError
from argus.base.events import Event
from argus.base.origin import Origin
from argus.credentials.foreign.model import PasswordHash
from argus.credentials.service import Passwords
from argus.groups.model import GroupNotFoundError
from argus.groups.service import Groups
from argus.storage.postgres import Database, Transaction
from argus.users.model import IdentifierRaceError, NewUser, TakenOver, check_new_user
from argus.users.service import Users

MAX_BATCH: Final = 200
"""Users that are taken over at once; they share a commit."""

_MAX_GROUPS: Final = 50
_TRIES: Final = 5
_RETRY_AFTER: Final = timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class UserImport:
    """A user as another system knew it.

    Attributes:
        user: Name, identifiers, whether it is disabled.
        password_hash: In one of the notations of `credentials.foreign`; empty: it has no password.
        groups: Groups of the tenant that it is to be in.
    """

    user: NewUser
    password_hash: str = ""
    groups: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class _Checked:
    """What is good in itself; whether the tenant takes it is another question."""

    user: NewUser
    password_hash: PasswordHash | None
    groups: Sequence[str]


class ImportUsers:
    """Takes users over, many at a time."""

    def __init__(self, db: Database, users: Users, groups: Groups, passwords: Passwords, *, now: Now) -> None:
        self._db = db
        self._users = users
        self._groups = groups
        self._passwords = passwords
        self._now = now

    async def run(self, tenant_id: str, imports: Sequence[UserImport], *, origin: Origin) -> list[TakenOver]:
        """Takes users over; one outcome each, in their order.

        Args:
            tenant_id: Tenant.
            imports: Up to `MAX_BATCH` of them.
            origin: On whose behalf; with `validate_only` everything is checked and nothing is kept.

        Raises:
            OverloadedError: Others kept taking the same identifiers.
            UnavailableError: PostgreSQL is away; how many were taken over is then unknown, and repeating it is safe.
        """
        checked: dict[int, _Checked] = {}
        refused: dict[int, TakenOver] = {}
        for index, one in enumerate(imports):
            try:
                checked[index] = self._check(one)
            except ArgusError as error:
                refused[index] = TakenOver(error=error)
        for _ in range(_TRIES):
            try:
                written = await self._write(tenant_id, checked, origin)
            except IdentifierRaceError:
                continue
            return [outcome for _, outcome in sorted((refused | written).items())]
        raise OverloadedError(_RETRY_AFTER)

    def _check(self, one: UserImport) -> _Checked:
        check_new_user(one.user)
        if len(one.groups) > _MAX_GROUPS:
            raise InvalidFieldError("user.groups", f"must have at most {_MAX_GROUPS} items")
        hashed = self._passwords.accept(one.password_hash) if one.password_hash else None
        return _Checked(one.user, hashed, one.groups)

    async def _write(self, tenant_id: str, checked: dict[int, _Checked], origin: Origin) -> dict[int, TakenOver]:
        async with self._db.transaction(origin, now=self._now()) as tx:
            wanted = {group for one in checked.values() for group in one.groups}
            groups = await self._groups.existing(tx, tenant_id, wanted)
            outcomes = {
                index: TakenOver(error=GroupNotFoundError(missing[0]))
                for index, one in checked.items()
                if (missing := [group for group in one.groups if group not in groups])
            }
            left = {index: one for index, one in checked.items() if index not in outcomes}
            taken = await self._users.take_over(tx, tenant_id, [one.user for one in left.values()])
            outcomes.update(zip(left, taken, strict=True))
            await self._write_rest(
                tx, tenant_id, [(outcomes[index].user_id, one) for index, one in left.items() if outcomes[index].is_new]
            )
        if origin.validate_only:
            # Nobody has the ids of those that were not made after all.
            return {index: replace(one, user_id="") if one.is_new else one for index, one in outcomes.items()}
        return outcomes

    async def _write_rest(self, tx: Transaction, tenant_id: str, new: Sequence[tuple[str, _Checked]]) -> None:
        hashes = {user_id: one.password_hash for user_id, one in new if one.password_hash is not None}
        await self._passwords.put_all(tx, tenant_id, hashes)
        await self._groups.put_all(tx, tenant_id, {user_id: one.groups for user_id, one in new})
        for user_id, one in new:
            facts = {
                "hash": "" if one.password_hash is None else one.password_hash.kind,
                "groups": " ".join(one.groups),
            }
            data = {name: fact for name, fact in facts.items() if fact}
            tx.record(Event(type="user.imported", user_id=user_id, data=data))
