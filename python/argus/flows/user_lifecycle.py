"""A user's way through life, as far as it concerns more than its own record: password, groups, sessions."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from argus.accounts.service import Links
from argus.base import ids
from argus.base.clock import Now
from argus.base.origin import Origin
from argus.credentials.model import Credential
from argus.credentials.service import Passwords
from argus.flows.terminate import Also, Terminate
from argus.flows.termination import Terminations, TerminationState
from argus.policies.model import Scope
from argus.policies.service import Policies
from argus.sessions.model import EndReason
from argus.storage.postgres import Database, Transaction
from argus.threats.guessing.service import Guessing
from argus.users.model import NewIdentifier, User, canonical_identifier, check_identifiers
from argus.users.service import Users


class KeepsOfUsers(Protocol):
    """A feature that keeps something of users."""

    async def remove_user(self, tx: Transaction, tenant_id: str, user_id: str) -> None:
        """Forgets what it keeps of a user that is deleted, within `tx`, which has locked the user."""


class UserLifecycle:
    """Creates, disables, enables and deletes users, and sets their passwords."""

    def __init__(
        self,
        db: Database,
        users: Users,
        passwords: Passwords,
        policies: Policies,
        terminate: Terminate,
        guessing: Guessing,
        links: Links,
        keepers: Sequence[KeepsOfUsers],
        *,
        now: Now,
    ) -> None:
        """Joins what users are made of.

        Args:
            db: Where all of it is.
            users: The users themselves.
            passwords: Their passwords.
            policies: Say what a password must be.
            terminate: Ends their sessions.
            guessing: Counts guesses at their passwords.
            links: Links in their mails.
            keepers: All that keep something of users; in the order in which rows are locked.
            now: The time.
        """
        self._db = db
        self._users = users
        self._passwords = passwords
        self._policies = policies
        self._terminate = terminate
        self._guessing = guessing
        self._links = links
        self._keepers = keepers
        self._now = now

    async def create(
        self,
        tenant_id: str,
        *,
        display_name: str,
        locale: str = "",
        identifiers: Sequence[NewIdentifier],
        password: str = "",
        origin: Origin,
        also: Callable[[Transaction, User], Awaitable[None]] | None = None,
    ) -> User:
        """Creates a user, with a first password if one is given.

        Args:
            tenant_id: Tenant.
            display_name: Name for people.
            locale: Language that it is written to in, as BCP 47; empty: none is known.
            identifiers: What it signs in with, one to ten.
            password: First password; empty: none.
            origin: On whose behalf.
            also: Done in the same transaction.

        Raises:
            IdentifierTakenError: A user of the tenant has one of the identifiers.
            PasswordRefusedError: The password breaks a rule.
            RequestAlreadyDoneError: The request was carried out before.
        """
        if not password:
            return await self._users.create(
                tenant_id,
                display_name=display_name,
                locale=locale,
                identifiers=identifiers,
                origin=origin,
                also=also,
            )
        check_identifiers(identifiers)
        policy = (await self._policies.effective(tenant_id, "")).policy
        secret_hash = await self._passwords.prepare(
            password,
            context=_context(tenant_id, display_name, [one.value for one in identifiers]),
            minimum=policy.password_minimum,
            composition=policy.password_composition,
        )

        async def put_password(tx: Transaction, user: User) -> None:
            await self._passwords.put(tx, tenant_id, user.user_id, secret_hash)
            if also is not None:
                await also(tx, user)

        return await self._users.create(
            tenant_id,
            display_name=display_name,
            locale=locale,
            identifiers=identifiers,
            origin=origin,
            also=put_password,
        )

    async def set_password(
        self,
        tenant_id: str,
        user_id: str,
        password: str,
        *,
        terminate_sessions: bool,
        origin: Origin,
        keep: str | None = None,
        also: Also | None = None,
    ) -> tuple[Credential, Terminations | None]:
        """Sets a user's password, and ends its sessions with it if that is wanted.

        Args:
            tenant_id: Tenant.
            user_id: User.
            password: As typed.
            terminate_sessions: End the user's sessions.
            origin: On whose behalf.
            keep: Session that goes on.
            also: Done in the same transaction.

        Raises:
            UserNotFoundError: There is no such user.
            PasswordRefusedError: The password breaks a rule.
            RequestAlreadyDoneError: The request was carried out before.
        """
        user = await self._users.get(tenant_id, user_id)
        policy = (await self._policies.effective(tenant_id, "", user_id, user.groups)).policy
        context = _context(tenant_id, user.display_name, [one.value for one in user.identifiers])
        secret_hash = await self._passwords.prepare(
            password,
            context=context,
            minimum=policy.password_minimum,
            composition=policy.password_composition,
        )
        depth = policy.password_history
        await self._passwords.history.check(tenant_id, user_id, password, depth=depth)
        if not origin.validate_only:
            # What was guessed before was guessed at another password.
            await self._guessing.reopen(tenant_id, [canonical_identifier(one.value) for one in user.identifiers])
        written: list[Credential] = []

        async def put_password(tx: Transaction) -> None:
            await self._passwords.history.replace(tx, tenant_id, user_id, depth=depth)
            written.append(await self._passwords.put(tx, tenant_id, user_id, secret_hash))
            if also is not None:
                await also(tx)
            await self._links.close_password_links(tx, tenant_id, user_id)

        claim = ids.user_name(tenant_id, user_id)
        if not terminate_sessions:
            async with self._db.transaction(origin, now=self._now()) as tx:
                await tx.claim(claim)
                await put_password(tx)
            return written[0], None
        ends = await self._terminate.user(
            tenant_id,
            user_id,
            reason=EndReason.USER_WIDE,
            keep=keep,
            origin=origin,
            also=put_password,
            claim=claim,
        )
        return written[0], ends

    async def disable(
        self,
        tenant_id: str,
        user_id: str,
        *,
        comment: str = "",
        reason: str | None = None,
        origin: Origin,
        also: Also | None = None,
    ) -> Terminations:
        """Closes sign-in for a user and ends all its sessions.

        Args:
            tenant_id: Tenant.
            user_id: User.
            comment: Why, in an administrator's words.
            reason: Why, where Argus itself disables it.
            origin: On whose behalf.
            also: Done in the same transaction, with the user locked; what it raises leaves all as it was.

        Raises:
            UserNotFoundError: There is no such user.
            RequestAlreadyDoneError: The request was carried out before.
        """

        async def close(tx: Transaction) -> None:
            await self._users.set_disabled(tx, tenant_id, user_id, disabled=True, comment=comment, reason=reason)
            if also is not None:
                await also(tx)

        return await self._terminate.user(
            tenant_id,
            user_id,
            reason=EndReason.USER_DISABLED,
            comment=comment,
            origin=origin,
            also=close,
            claim=ids.user_name(tenant_id, user_id),
        )

    async def enable(self, tenant_id: str, user_id: str, *, comment: str = "", origin: Origin) -> None:
        """Lets a user sign in again; its ended sessions stay ended.

        Raises:
            UserNotFoundError: There is no such user.
            RequestAlreadyDoneError: The request was carried out before.
        """

        async def open_again(tx: Transaction) -> None:
            await tx.claim(ids.user_name(tenant_id, user_id))
            await self._users.set_disabled(tx, tenant_id, user_id, disabled=False, comment=comment)

        await self._terminate.user_changed(tenant_id, user_id, origin=origin, change=open_again)

    async def ends_state(self, tenant_id: str, user_id: str) -> TerminationState:
        """How far the ends of an earlier request have come."""
        return await self._terminate.reached(tenant_id, user_id=user_id)

    async def delete(
        self,
        tenant_id: str,
        user_id: str,
        *,
        comment: str = "",
        reason: str | None = None,
        origin: Origin,
        also: Also | None = None,
    ) -> Terminations:
        """Deletes a user with all that is kept of it, and ends all its sessions; they and the audit keep its id alone.

        Args:
            tenant_id: Tenant.
            user_id: User.
            comment: Why, in an administrator's words.
            reason: Why, where Argus itself deletes it.
            origin: On whose behalf.
            also: Done in the same transaction, with the user locked; what it raises leaves all as it was.

        Raises:
            UserNotFoundError: There is no such user.
            RequestAlreadyDoneError: The request was carried out before.
        """

        async def remove(tx: Transaction) -> None:
            if also is not None:
                await also(tx)
            for keeper in self._keepers:
                await keeper.remove_user(tx, tenant_id, user_id)
            await self._users.delete(tx, tenant_id, user_id, comment=comment, reason=reason)
            scope = Scope(kind="user", id=user_id)
            await self._policies.scopes.withdraw(tx, tenant_id, scope, reason="the user was deleted", origin=origin)

        return await self._terminate.user(
            tenant_id,
            user_id,
            reason=EndReason.USER_DELETED,
            comment=comment,
            origin=origin,
            also=remove,
            claim=ids.user_name(tenant_id, user_id),
        )


def _context(tenant_id: str, display_name: str, identifiers: Sequence[str]) -> list[str]:
    """What makes a password easy to guess for somebody who knows the user."""
    return [tenant_id, *display_name.split(), *identifiers]
