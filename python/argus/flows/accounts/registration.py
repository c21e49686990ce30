"""Makes a user of whoever has the token of a registration link; before that there is none."""

from argus.accounts.service import Links
from argus.base.clock import Now
from argus.base.events import Event
from argus.base.origin import Origin
from argus.flows.accounts.asking import check_open
from argus.flows.user_lifecycle import UserLifecycle
from argus.policies.service import Policies
from argus.storage.postgres import Transaction
from argus.users.model import NewIdentifier, User
from argus.users.service import Users


class Registration:
    """The second half of a registration; the first one is `Asking.registration`."""

    def __init__(self, links: Links, users: Users, lifecycle: UserLifecycle, policies: Policies, *, now: Now) -> None:
        self._links = links
        self._users = users
        self._lifecycle = lifecycle
        self._policies = policies
        self._now = now

    async def complete(self, tenant_id: str, token: str, password: str, *, display_name: str, origin: Origin) -> User:
        """Makes the user, with a verified address.

        Raises:
            LinkInvalidError: The token is not that of a good registration link.
            RegistrationClosedError: The policy lets nobody register (any more).
            IdentifierTakenError: Somebody has got the address meanwhile.
            PasswordRefusedError: The password breaks a rule; the token stays good.
            InvalidFieldError: The name is too long.
        """
        link = await self._links.open(tenant_id, token, "registration", origin=origin)
        await check_open(self._policies, tenant_id)

        async def spend(tx: Transaction, user: User) -> None:
            await self._links.spend(tx, link, user_id=user.user_id)
            await self._users.verify_address(tx, tenant_id, user.user_id, link.address)
            tx.record(Event(type="account.registered", user_id=user.user_id), time=self._now())

        user = await self._lifecycle.create(
            tenant_id,
            display_name=display_name,
            identifiers=[NewIdentifier(kind="email", value=link.address)],
            password=password,
            origin=origin,
            also=spend,
        )
        return await self._users.get(tenant_id, user.user_id)
