"""Sets a new password by a link in a mail.

It signs nobody in: whoever reads a user's mail still lacks the second factor.
"""

from argus.accounts.model import Link, LinkInvalidError
from argus.accounts.service import Links
from argus.base.clock import Now
from argus.base.events import Event
from argus.base.origin import Origin
from argus.flows.termination import Terminations
from argus.flows.user_lifecycle import UserLifecycle
from argus.policies.service import Policies
from argus.storage.postgres import Transaction
from argus.threats.guessing.service import Guessing
from argus.users.model import UserDisabledError, UserNotFoundError
from argus.users.service import Users


class Recovery:
    """The second half of a recovery; the first one is `Asking.recovery`."""

    def __init__(
        self,
        links: Links,
        users: Users,
        lifecycle: UserLifecycle,
        policies: Policies,
        guessing: Guessing,
        *,
        now: Now,
    ) -> None:
        self._links = links
        self._users = users
        self._lifecycle = lifecycle
        self._policies = policies
        self._guessing = guessing
        self._now = now

    async def complete(self, tenant_id: str, token: str, password: str, *, origin: Origin) -> Terminations | None:
        """Sets the password; None: the policy leaves the user's sessions.

        Raises:
            LinkInvalidError: The token is not that of a good recovery link.
            UserDisabledError: The user may not sign in.
            PasswordRefusedError: The password breaks a rule; the token stays good.
            UnavailableError: A store is away; the token stays good.
        """
        link = await self._links.open(tenant_id, token, "recovery", "handover", origin=origin)
        try:
            user = await self._users.get(tenant_id, link.user_id)
        except UserNotFoundError:
            raise LinkInvalidError from None
        if user.disabled:
            raise UserDisabledError(user.user_id)
        policy = (await self._policies.effective(tenant_id, "", user.user_id, user.groups)).policy

        async def spend(tx: Transaction) -> None:
            if link.purpose == "handover":
                await self._links.spend(tx, link)
            else:
                await prove_address(tx, self._links, self._users, link)
            tx.record(Event(type="account.recovered", user_id=user.user_id), time=self._now())

        _, ends = await self._lifecycle.set_password(
            tenant_id,
            user.user_id,
            password,
            terminate_sessions=policy.recovery_ends_sessions,
            origin=origin,
            also=spend,
        )
        if link.address:
            await self._guessing.forget_mails(tenant_id, link.address, "recovery")
        return ends


async def prove_address(tx: Transaction, links: Links, users: Users, link: Link) -> None:
    """Uses a link within `tx`: its user has shown to read the mail of its address.

    Raises:
        LinkInvalidError: Somebody was faster, or the address is no longer the user's.
    """
    await links.spend(tx, link)
    if not await users.verify_address(tx, link.tenant_id, link.user_id, link.address):
        raise LinkInvalidError
