"""Tries at the factors of a login: counted before they are looked at, refused alike whatever is wrong."""

from collections.abc import Mapping
from typing import Final, Literal

from argus.base.clock import Now
from argus.base.errors import ArgusError
from argus.base.events import Event
from argus.base.ids import login_name
from argus.base.origin import Origin
from argus.credentials.levels import Proved
from argus.flows.device_changes import DeviceChanges
from argus.flows.factors import Check, Factor, FactorRefusedError
from argus.policies.service import Policies
from argus.sessions.login_store import Login
from argus.storage.postgres import Database
from argus.threats.guessing.model import CLOSING_FAILURES, Budget, GuessingThrottledError, Try, lockout_budget
from argus.threats.guessing.service import Guessing
from argus.users.model import Holder, UserNotFoundError
from argus.users.service import Users

# A user id that no user has: unknown identifiers take the same steps with it.
_NOBODY: Final = "-"

Refusal = Literal[
    "UNKNOWN_IDENTIFIER", "USER_DISABLED", "WRONG_PASSWORD", "PASSWORD_CLOSED", "WRONG_FACTOR", "FACTOR_CLOSED", "USED"
]
"""Why a factor was refused, for the audit alone."""


class Tries:
    """Tries at the factors of logins."""

    def __init__(
        self,
        db: Database,
        users: Users,
        policies: Policies,
        guessing: Guessing,
        changes: DeviceChanges,
        *,
        now: Now,
    ) -> None:
        self._db = db
        self._users = users
        self._policies = policies
        self._guessing = guessing
        self._changes = changes
        self._now = now

    async def prove(self, login: Login, factor: Factor, answer: str, *, origin: Origin) -> tuple[str, Proved]:
        """The user that the login is about, and what this answer proves of it.

        Raises:
            GuessingThrottledError: Too many failures came before.
            FactorRefusedError: Identifier and factor do not fit, or it was used before.
            UnavailableError: A store is away; the try does not count.
        """
        attempt = await self._begin_try(login, factor, origin)
        try:
            holder = await self._holder(login)
            check = await factor.check(login, holder.user_id, answer)
            holder = await self._named(login, holder, check)
            refusal = _refusal(login, factor, holder, check, attempt)
            # Not before: who guesses at a closed factor or a disabled user learns nothing, not even by time.
            if refusal is None and not await factor.use(login, check, answer, origin=origin):
                refusal = "USED"
        except ArgusError:
            await self._guessing.undo(attempt)
            raise
        if refusal is not None or holder.user_id is None or check.proved is None:
            refusal = refusal or "UNKNOWN_IDENTIFIER"
            await self._refused(login, factor, holder.user_id, refusal, attempt, origin, rule=check.rule)
            raise FactorRefusedError
        await self._guessing.succeeded(attempt)
        return holder.user_id, check.proved

    async def _begin_try(self, login: Login, factor: Factor, origin: Origin) -> Try:
        tenant_id, ip_address = login.tenant_id, origin.ip_address
        place = login.session_id or login.device_id or ""
        budget = await self._budget(login)
        try:
            if login.proved or not (login.is_step_up or login.identifier):
                subject = login.user_id or login.login_id
                return await self._guessing.begin_factor(
                    tenant_id, subject, factor.method, place=place, ip_address=ip_address, budget=budget
                )
            if login.is_step_up:
                return await self._guessing.begin_session(
                    tenant_id, login.session_id, ip_address=ip_address, budget=budget
                )
            return await self._guessing.begin(
                tenant_id, login.identifier, device_id=login.device_id, ip_address=ip_address, budget=budget
            )
        except GuessingThrottledError:
            await self._db.record(origin, login_event(login, "guessing.throttled", is_failure=True), self._now())
            raise

    async def _budget(self, login: Login) -> Budget:
        """That of the login's tenant and client: whose login it is, or that it is nobody's, shows in no wait."""
        policy = (await self._policies.effective(login.tenant_id, login.client_id)).policy
        return lockout_budget(policy.lockout_tries, policy.lockout)

    async def _holder(self, login: Login) -> Holder:
        """Whose factor counts: once somebody is known (a step-up's session has a user), nobody else's."""
        if not login.user_id:
            return await self._users.holder(login.tenant_id, login.identifier)
        return await self._known(login, login.user_id)

    async def _named(self, login: Login, holder: Holder, check: Check) -> Holder:
        """Where a login has no identifier, its passkey says whose it is."""
        if holder.user_id is None and check.user_id is not None and not login.identifier:
            return await self._known(login, check.user_id)
        return holder

    async def _known(self, login: Login, user_id: str) -> Holder:
        try:
            user = await self._users.get(login.tenant_id, user_id)
        except UserNotFoundError:
            return Holder(user_id=None, disabled=False)
        return Holder(user_id=user.user_id, disabled=user.disabled)

    async def _refused(
        self,
        login: Login,
        factor: Factor,
        user_id: str | None,
        refusal: Refusal,
        attempt: Try,
        origin: Origin,
        *,
        rule: str,
    ) -> None:
        if not login.is_of_known_device and attempt.failures >= CLOSING_FAILURES:
            await factor.close(login.tenant_id, user_id or _NOBODY, origin=origin)
        facts = {"method": factor.method, "rule": rule}
        event = login_event(login, "factor.refused", is_failure=True, reason=refusal, user_id=user_id, data=facts)
        await self._changes.refused(login, event, origin=origin)


def login_event(
    login: Login,
    kind: str,
    *,
    is_failure: bool = False,
    reason: str | None = None,
    user_id: str | None = None,
    data: Mapping[str, str] | None = None,
) -> Event:
    """Something that happened to a login; empty facts are left out."""
    facts = {"login": login_name(login.tenant_id, login.login_id), **(data or {})}
    return Event(
        type=kind,
        outcome="failure" if is_failure else "success",
        reason=reason,
        user_id=user_id or login.user_id or None,
        session_id=login.session_id or None,
        client_id=login.client_id,
        data={name: fact for name, fact in facts.items() if fact},
    )


def _refusal(login: Login, factor: Factor, holder: Holder, check: Check, attempt: Try) -> Refusal | None:
    is_password = factor.method == "password"
    if holder.user_id is None:
        return "UNKNOWN_IDENTIFIER"
    if check.proved is None:
        return "WRONG_PASSWORD" if is_password else "WRONG_FACTOR"
    if holder.disabled:
        return "USER_DISABLED"
    # A known device has its own failures; so many from it, and it is as good as unknown.
    is_closed = attempt.failures > CLOSING_FAILURES if login.is_of_known_device else check.is_closed
    if not (is_closed or check.is_over):
        return None
    return "PASSWORD_CLOSED" if is_password else "FACTOR_CLOSED"
