"""A user's way through life, as far as it concerns more than its own record: password, groups, sessions."""

from collections.abc import Sequence

from argus.base import ids
from argus.base.origin import Origin
from argus.credentials.model import Credential
from argus.credentials.service import Passwords
from argus.flows.terminate import Terminate
from argus.flows.termination import Terminations, TerminationState
from argus.groups.service import Groups
from argus.policies.service import Policies
from argus.sessions.model import EndReason
from argus.storage.postgres import Transaction
from argus.threats.guessing.service import Guessing
from argus.users.model import NewIdentifier, User, canonical_identifier
from argus.users.service import Users, check_identifiers


class UserLifecycle:
    """Creates, disables, enables and deletes users, and sets their passwords."""

    def __init__(
        self,
        users: Users,
        groups: Groups,
        passwords: Passwords,
        policies: Policies,
        terminate: Terminate,
        guessing: Guessing,
    ) -> None:
        self._users = users
        self._groups = groups
        self._passwords = passwords
        self._policies = policies
        self._terminate = terminate
        self._guessing = guessing

    async def create(
        self,
        tenant_id: str,
        *,
        display_name: str,
        identifiers: Sequence[NewIdentifier],
        password: str = "",
        origin: Origin,
    ) -> User:
        """Creates a user, with a first password if one is given.

        Raises:
            IdentifierTakenError: A user of the tenant has one of the identifiers.
            PasswordRefusedError: The password breaks a rule.
            RequestAlreadyDoneError: The request was carried out before.
        """
        if not password:
            return await self._users.create(
                tenant_id, display_name=display_name, identifiers=identifiers, origin=origin
            )
        check_identifiers(identifiers)
        policy = (await self._policies.effective(tenant_id, "")).policy
        secret_hash = await self._passwords.prepare(
            password,
            context=_context(tenant_id, display_name, [one.value for one in identifiers]),
            minimum=policy.password_min_alone,
        )

        async def put_password(tx: Transaction, user: User) -> None:
            await self._passwords.put(tx, tenant_id, user.user_id, secret_hash)

        return await self._users.create(
            tenant_id, display_name=display_name, identifiers=identifiers, origin=origin, also=put_password
        )

    async def set_password(
        self, tenant_id: str, user_id: str, password: str, *, terminate_sessions: bool, origin: Origin
    ) -> tuple[Credential, Terminations | None]:
        """Sets a user's password, and ends its sessions with it if that is wanted.

        Raises:
            UserNotFoundError: There is no such user.
            PasswordRefusedError: The password breaks a rule.
            RequestAlreadyDoneError: The request was carried out before.
        """
        user = await self._users.get(tenant_id, user_id)
        policy = (await self._policies.effective(tenant_id, "", user_id, user.groups)).policy
        context = _context(tenant_id, user.display_name, [one.value for one in user.identifiers])
        minimum = policy.password_min_alone
        if not origin.validate_only:
            # What was guessed before was guessed at another password.
            await self._guessing.reopen(tenant_id, [canonical_identifier(one.value) for one in user.identifiers])
        if not terminate_sessions:
            credential = await self._passwords.set(
                tenant_id, user_id, password, identifiers=context, minimum=minimum, origin=origin
            )
            return credential, None
        secret_hash = await self._passwords.prepare(password, context=context, minimum=minimum)
        written: list[Credential] = []

        async def put_password(tx: Transaction) -> None:
            written.append(await self._passwords.put(tx, tenant_id, user_id, secret_hash))

        ends = await self._terminate.user(
            tenant_id,
            user_id,
            reason=EndReason.USER_WIDE,
            origin=origin,
            also=put_password,
            claim=ids.user_name(tenant_id, user_id),
        )
        return written[0], ends

    async def disable(self, tenant_id: str, user_id: str, *, comment: str = "", origin: Origin) -> Terminations:
        """Closes sign-in for a user and ends all its sessions.

        Raises:
            UserNotFoundError: There is no such user.
            RequestAlreadyDoneError: The request was carried out before.
        """

        async def close(tx: Transaction) -> None:
            await self._users.set_disabled(tx, tenant_id, user_id, disabled=True, comment=comment)

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

    async def delete(self, tenant_id: str, user_id: str, *, comment: str = "", origin: Origin) -> Terminations:
        """Deletes a user with identifiers, credentials and memberships, and ends all its sessions.

        Raises:
            UserNotFoundError: There is no such user.
            RequestAlreadyDoneError: The request was carried out before.
        """

        async def remove(tx: Transaction) -> None:
            await self._passwords.remove_user(tx, tenant_id, user_id)
            await self._groups.remove_user(tx, tenant_id, user_id)
            await self._users.delete(tx, tenant_id, user_id, comment=comment)

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
