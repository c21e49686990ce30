"""What administrators can do with the policies of scopes: set, put in force, try, roll back."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from argus.base import pages
from argus.base.clock import Now
from argus.base.errors import EtagMismatchError, InvalidFieldError, PageTokenInvalidError
from argus.base.events import Event
from argus.base.ids import etag as etag_of
from argus.base.ids import tenant_name
from argus.base.origin import Origin
from argus.policies import changes_store
from argus.policies import revisions_store as store
from argus.policies.model import SCOPE_KINDS, Document, Scope, check_document
from argus.policies.revisions_model import (
    Mode,
    NoEarlierPolicyError,
    PolicyRevisionNotFoundError,
    Revision,
    ScopePolicy,
)
from argus.storage.postgres import Database, Transaction

_MOST_EARLIER: Final = 100
_NEWEST: Final = 2**31 - 1

Look = Callable[[str, Scope, Transaction | None], Awaitable[None]]
"""Refuses a scope of a tenant that is not there, as a transaction sees it if one is given."""


class PolicyRevisions:
    """The policies of all scopes, with their history."""

    def __init__(self, db: Database, now: Now, look: Look | None = None) -> None:
        """Keeps policies of scopes.

        Args:
            db: Where they are kept.
            now: The time.
            look: Looks whether scopes are there; None: nobody does.
        """
        self._db = db
        self._now = now
        self._look = look

    async def check(self, tenant_id: str, scope: Scope, reader: Transaction | None = None) -> None:
        """Refuses what nothing can be set for, or what is not there, as `reader` sees it if one is given."""
        check_scope(tenant_id, scope)
        if self._look is not None:
            await self._look(tenant_id, scope, reader)

    async def get(self, tenant_id: str, scope: Scope) -> ScopePolicy:
        """What is set for a scope; an empty document of no revision where nothing ever was."""
        return await store.find(self._db, tenant_id, scope) or ScopePolicy(scope=scope, document={})

    async def list(self, tenant_id: str, *, page_size: int, page_token: str = "") -> tuple[Sequence[ScopePolicy], str]:
        """A page of a tenant's policies, and the token of the next one ("": this is the last)."""
        kind = f"policies:{tenant_id}"
        key = pages.decode_page(kind, page_token) if page_token else ("", "")
        if len(key) != 2:  # noqa: PLR2004 - kind and id
            raise PageTokenInvalidError
        found = await store.page(self._db, tenant_id, after=(key[0], key[1]), limit=page_size + 1)
        if len(found) <= page_size:
            return found, ""
        last = found[page_size - 1].scope
        return found[:page_size], pages.encode_page(kind, (last.kind, last.id))

    async def revisions(
        self, tenant_id: str, scope: Scope, *, page_size: int, page_token: str = ""
    ) -> tuple[Sequence[Revision], str]:
        """A page of a scope's revisions, the newest first, and the token of the next one."""
        kind = f"revisions:{tenant_id}:{scope.kind}:{scope.id}"
        key = pages.decode_page(kind, page_token) if page_token else (str(_NEWEST),)
        if len(key) != 1 or not key[0].isdecimal():
            raise PageTokenInvalidError
        found = await store.revisions(self._db, tenant_id, scope, before=int(key[0]), limit=page_size + 1)
        if len(found) <= page_size:
            return found, ""
        return found[:page_size], pages.encode_page(kind, (str(found[page_size - 1].number),))

    async def revision(self, tenant_id: str, scope: Scope, number: int) -> Revision:
        """A revision of a scope.

        Raises:
            PolicyRevisionNotFoundError: There is none of that number.
        """
        found = await store.revision(self._db, tenant_id, scope, number)
        if found is None:
            raise PolicyRevisionNotFoundError(number)
        return found

    async def in_force_at(self, tenant_id: str, scopes: Sequence[Scope], time: datetime) -> Sequence[Revision]:
        """The revisions of scopes that were in force at an instant; none of a scope for which nothing was set."""
        keys = [(tenant_id, scope.kind, scope.id) for scope in scopes]
        found = await changes_store.documents_at(self._db, keys, time)
        return [await self.revision(tenant_id, scope, number) for scope, number, _ in found if number]

    async def set(
        self,
        tenant_id: str,
        scope: Scope,
        document: Document,
        *,
        mode: Mode = "enforced",
        reason: str = "",
        etag: str = "",
        field: str = "policy",
        origin: Origin,
    ) -> tuple[ScopePolicy, Revision]:
        """Makes a revision, and puts it in force, tries it or only keeps it.

        Args:
            tenant_id: The tenant.
            scope: Whose policy.
            document: All that it is to set; nothing: an empty one.
            mode: What becomes of the revision.
            reason: Why.
            etag: Of the policy as the caller knows it; empty: whatever it is.
            field: Path of the document in the request.
            origin: On whose behalf.

        Raises:
            InvalidPolicyError: Fields are unknown or out of their range, or don't fit together.
            EtagMismatchError: Somebody else has changed the policy.
            ClientNotFoundError: The tenant has no such client; of groups and users alike.
            RequestAlreadyDoneError: The request was carried out before.
        """
        check_scope(tenant_id, scope)
        check_document(document, field=field)
        now = self._now()
        async with self._db.transaction(origin, now=now) as tx:
            await store.lock_tenant(tx, tenant_id)
            number = await store.last_number(tx, tenant_id, scope) + 1
            before = await self._locked(tx, tenant_id, scope, etag, number=number)
            made = Revision(
                scope=scope,
                number=number,
                document=document,
                author=origin.actor,
                reason=reason,
                create_time=now,
            )
            await store.add_revision(tx, tenant_id, made)
            after = await self._put(tx, tenant_id, before, made, mode, reason, origin)
            self._record(tx, "policy.updated", scope, made.number, mode, reason, at=now)
        return after, made

    async def activate(
        self,
        tenant_id: str,
        scope: Scope,
        number: int,
        *,
        mode: Mode = "enforced",
        reason: str = "",
        etag: str = "",
        origin: Origin,
    ) -> ScopePolicy:
        """Puts a revision in force, or tries it; 0 tries none any more.

        Raises:
            PolicyRevisionNotFoundError: There is none of that number.
            InvalidPolicyError: It says what can't be set any more.
            EtagMismatchError: Somebody else has changed the policy.
            ClientNotFoundError: The tenant has no such client; of groups and users alike.
            RequestAlreadyDoneError: The request was carried out before.
        """
        now = self._now()
        async with self._db.transaction(origin, now=now) as tx:
            before = await self._locked(tx, tenant_id, scope, etag)
            if number == 0 and mode == "report_only":
                chosen = None
            else:
                chosen = await store.revision(tx, tenant_id, scope, number)
                if chosen is None:
                    raise PolicyRevisionNotFoundError(number)
                check_document(chosen.document, field="revision")
            after = await self._put(tx, tenant_id, before, chosen, mode, reason, origin)
            self._record(tx, "policy.activated", scope, number, mode, reason, at=now)
        return after

    async def roll_back(
        self, tenant_id: str, scope: Scope, *, reason: str = "", etag: str = "", origin: Origin
    ) -> ScopePolicy:
        """Puts in force again what was before the revision that is now.

        Raises:
            NoEarlierPolicyError: Nothing was.
            EtagMismatchError: Somebody else has changed the policy.
            ClientNotFoundError: The tenant has no such client; of groups and users alike.
            RequestAlreadyDoneError: The request was carried out before.
        """
        now = self._now()
        async with self._db.transaction(origin, now=now) as tx:
            before = await self._locked(tx, tenant_id, scope, etag)
            if not before.earlier:
                raise NoEarlierPolicyError
            number = before.earlier[-1]
            chosen = await store.revision(tx, tenant_id, scope, number)
            changed = replace(
                before,
                document={} if chosen is None else chosen.document,
                active=number,
                earlier=before.earlier[:-1],
            )
            after = await self._write(tx, tenant_id, changed, reason, origin)
            self._record(tx, "policy.rolled_back", scope, number, "enforced", reason, at=now)
        return after

    async def withdraw(self, tx: Transaction, tenant_id: str, scope: Scope, *, reason: str, origin: Origin) -> None:
        """Takes back what is in force for a scope that goes away, and what is tried, within `tx`; revisions stay."""
        await store.lock_tenant(tx, tenant_id)
        found = await store.find(tx, tenant_id, scope)
        if found is None or not (found.active or found.report_only):
            return
        earlier = (*found.earlier, found.active)[-_MOST_EARLIER:] if found.active else found.earlier
        changed = replace(found, document={}, active=0, report_only=0, earlier=earlier)
        await self._write(tx, tenant_id, changed, reason, origin)
        self._record(tx, "policy.activated", scope, 0, "enforced", reason, at=self._now())

    async def _locked(
        self, tx: Transaction, tenant_id: str, scope: Scope, etag: str, *, number: int = 0
    ) -> ScopePolicy:
        """What is set for a scope that is there, and stays so as its policy does until `tx` ends.

        Args:
            tx: The transaction.
            tenant_id: The tenant.
            scope: Whose policy.
            etag: Of the policy as the caller knows it; empty: whatever it is.
            number: Of the revision that is made; 0: none is.
        """
        await tx.claim(f"{tenant_name(tenant_id)}/policies/{scope.kind}/{scope.id}/revisions/{number}")
        await store.lock_tenant(tx, tenant_id)
        await self.check(tenant_id, scope, tx)  # after the lock, which whoever deletes a scope takes, too
        found = await store.find(tx, tenant_id, scope) or ScopePolicy(scope=scope, document={})
        if etag and etag != etag_of(found.version):
            raise EtagMismatchError(etag_of(found.version))
        return found

    async def _put(
        self,
        tx: Transaction,
        tenant_id: str,
        before: ScopePolicy,
        chosen: Revision | None,
        mode: Mode,
        reason: str,
        origin: Origin,
    ) -> ScopePolicy:
        number = 0 if chosen is None else chosen.number
        if mode == "enforced" and chosen is not None:
            # What was tried and is now in force is tried no more.
            tried = 0 if before.report_only == number else before.report_only
            is_other = number != before.active
            earlier = (*before.earlier, before.active)[-_MOST_EARLIER:] if is_other else before.earlier
            changed = replace(before, document=chosen.document, active=number, report_only=tried, earlier=earlier)
        elif mode == "report_only":
            changed = replace(before, report_only=number)
        else:
            changed = before
        # What is only kept, or was so already, changes nothing of the policy: its etag and its author stay.
        return before if changed == before else await self._write(tx, tenant_id, changed, reason, origin)

    async def _write(
        self, tx: Transaction, tenant_id: str, changed: ScopePolicy, reason: str, origin: Origin
    ) -> ScopePolicy:
        after = replace(
            changed, author=origin.actor, reason=reason, update_time=self._now(), version=changed.version + 1
        )
        await store.write(tx, tenant_id, after)
        return after

    def _record(
        self, tx: Transaction, event: str, scope: Scope, number: int, mode: Mode, reason: str, *, at: datetime
    ) -> None:
        data = {"scope": f"{scope.kind}:{scope.id}", "revision": str(number), "mode": mode, "reason": reason}
        tx.record(Event(type=event, data=data), time=at)


def check_scope(tenant_id: str, scope: Scope) -> None:
    """Raises `InvalidFieldError` for what nothing can be set for."""
    if scope.kind not in SCOPE_KINDS:
        raise InvalidFieldError("scope", f"must be one of {', '.join(SCOPE_KINDS)}")
    if not scope.id or (scope.kind == "tenant" and scope.id != tenant_id):
        raise InvalidFieldError("scope", "must name the tenant, or one of its clients, groups or users")
