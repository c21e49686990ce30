"""Enrols, lists and renames the passkeys of users."""

from collections.abc import Mapping, Sequence

from argus.base.origin import Origin
from argus.credentials.levels import Proved
from argus.credentials.passkeys.model import Begun, Passkey, PasskeyUser, Use
from argus.credentials.passkeys.registration import PasskeyRegistrations
from argus.credentials.passkeys.service import Passkeys
from argus.users.service import Users


class PasskeyChanges:
    """What administrators and services do for a user, and users for themselves after a fresh proof."""

    def __init__(self, users: Users, passkeys: Passkeys, registrations: PasskeyRegistrations) -> None:
        self._users = users
        self._passkeys = passkeys
        self._registrations = registrations

    async def begin(self, tenant_id: str, user_id: str, *, use: Use = "sign_in", is_conditional: bool = False) -> Begun:
        """Makes creation options for a user.

        Args:
            tenant_id: Tenant.
            user_id: User.
            use: What the passkey is made for.
            is_conditional: The browser is to make it in passing, after a sign-in by password.

        Raises:
            UserNotFoundError: There is no such user.
            TooManyCredentialsError: The user has as many as it may have.
            UnavailableError: A store is away.
        """
        user = await self._user(tenant_id, user_id)
        return await self._registrations.begin(tenant_id, user, use=use, is_conditional=is_conditional)

    async def confirm(
        self,
        tenant_id: str,
        user_id: str,
        enrolment_id: str,
        response_json: str,
        *,
        display_name: str = "",
        origin: Origin,
    ) -> Passkey:
        """Registers what the browser made; raises what `PasskeyRegistrations.finish` does."""
        return await self._registrations.finish(
            tenant_id, user_id, enrolment_id, response_json, display_name=display_name, origin=origin
        )

    async def list(self, tenant_id: str, user_id: str) -> Sequence[Passkey]:
        """All passkeys of a user, oldest first.

        Raises:
            UserNotFoundError: There is no such user.
        """
        await self._users.get(tenant_id, user_id)
        return await self._passkeys.list(tenant_id, user_id)

    async def ways_in(self, tenant_id: str, user_id: str) -> frozenset[str]:
        """Ids of the passkeys that are enough to sign in with: authenticators find them, and verify their user."""
        usable = await self._passkeys.usable(tenant_id, user_id)
        return frozenset(one.credential_id for one in usable if one.uv_initialized and one.discoverable is not False)

    async def provable(self, tenant_id: str, user_id: str) -> Mapping[str, Proved]:
        """What each passkey that can be used could prove, by its credential's id."""
        usable = await self._passkeys.usable(tenant_id, user_id)
        return {one.credential_id: proved_by(one, user_verified=one.uv_initialized) for one in usable}

    async def get(self, tenant_id: str, user_id: str, credential_id: str) -> Passkey:
        """A passkey of a user.

        Raises:
            CredentialNotFoundError: The user has no such one.
        """
        return await self._passkeys.get(tenant_id, user_id, credential_id)

    async def rename(
        self, tenant_id: str, user_id: str, credential_id: str, display_name: str, *, origin: Origin
    ) -> Passkey:
        """Gives a passkey another name.

        Raises:
            CredentialNotFoundError: The user has no such one.
            RequestAlreadyDoneError: The request was carried out before.
        """
        return await self._passkeys.rename(tenant_id, user_id, credential_id, display_name, origin=origin)

    async def signals(self, tenant_id: str, user_id: str) -> tuple[str, str]:
        """What the signal methods of browsers take: all accepted credentials, and the user's present names.

        Raises:
            UserNotFoundError: There is no such user.
        """
        return await self._passkeys.signals(tenant_id, await self._user(tenant_id, user_id))

    async def _user(self, tenant_id: str, user_id: str) -> PasskeyUser:
        """A user, as authenticators show it: by what it signs in with."""
        user = await self._users.get(tenant_id, user_id)
        name = user.identifiers[0].value if user.identifiers else user.display_name or user.user_id
        return PasskeyUser(user_id=user_id, name=name, display_name=user.display_name)


def proved_by(passkey: Passkey, *, user_verified: bool, built_in: bool = False) -> Proved:
    """What an answer of a passkey proves.

    Args:
        passkey: Which.
        user_verified: Its authenticator has verified its user, and is known to do so.
        built_in: It is part of what the user signs in on.
    """
    return Proved(
        method="webauthn",
        user_verified=user_verified,
        device_bound=not passkey.backup_eligible,
        attested=passkey.attested,
        built_in=built_in,
    )
