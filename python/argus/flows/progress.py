"""Says what a login asks for next."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Final

from argus.base.clock import Now
from argus.base.errors import ArgusError, Code, InvalidFieldError
from argus.credentials.levels import METHODS, Method, Proved, level_of, next_step
from argus.credentials.service import Passwords
from argus.flows.factors import Factors
from argus.flows.floors import Floors
from argus.flows.policy_facts import facts_of_login
from argus.policies.service import Policies
from argus.sessions.login_store import Login, LoginNotFoundError
from argus.sessions.model import ACR_PREFIX
from argus.users.model import UserNotFoundError
from argus.users.service import Users
from argus.v1.errors_pb2 import ErrorReason

# What a user has until it is taken away; the others are used up by being proved.
_LASTING: Final = frozenset({"password", "totp", "webauthn"})


class LevelUnreachableError(ArgusError):
    """A level is required that nothing which the user has or could enrol reaches."""

    def __init__(self, wanted: int) -> None:
        super().__init__(
            Code.FAILED_PRECONDITION,
            ErrorReason.ERROR_REASON_LEVEL_UNREACHABLE,
            f"{ACR_PREFIX}{wanted} is required, and no factor that the user has or could enrol here reaches it; "
            "an administrator can lower the policy's required_acr or serve a stronger kind of factor",
            requiredAcr=f"{ACR_PREFIX}{wanted}",
        )


class PasswordExpiredError(ArgusError):
    """The password is the only factor of the login, and is older than the policy lets it be."""

    def __init__(self, age: timedelta) -> None:
        seconds = int(age.total_seconds())
        super().__init__(
            Code.FAILED_PRECONDITION,
            ErrorReason.ERROR_REASON_PASSWORD_EXPIRED,
            f"the password is older than {seconds} s, which is as old as the policy lets one be that is the only "
            "factor; set a new one by a recovery link, or enrol a second factor",
            maxAgeSeconds=seconds,
        )


class Progress:
    """Holds what was proved against what is asked for, what the policy requires and what the user has."""

    def __init__(
        self,
        factors: Factors,
        policies: Policies,
        users: Users,
        passwords: Passwords,
        floors: Floors,
        *,
        now: Now,
    ) -> None:
        self._floors = floors
        self._factors = factors
        self._passwords = passwords
        self._policies = policies
        self._users = users
        self._now = now

    async def begun(self, login: Login) -> Login:
        """A new login with its first challenges: the same ones for everybody.

        Raises:
            InvalidFieldError: It is about nobody, and no factor here says whose it is.
        """
        methods = self._factors.beginning(is_user_named=bool(login.user_id or login.identifier))
        if not methods:
            raise InvalidFieldError("identifier", "is required")
        return replace(login, challenges=await self._challenges(login, methods))

    async def after(self, login: Login, *, ip_address: str | None = None) -> Login:
        """A login whose user is known, as it stands after what it has proved.

        Args:
            login: The login.
            ip_address: Address of the user's device, where known.

        Raises:
            UserNotFoundError: The user was deleted meanwhile.
            LoginNotFoundError: What was proved counts no more: it was taken away, or replaced, meanwhile.
            LevelUnreachableError: Nothing reaches the level that is wanted.
            PasswordExpiredError: The login is a sign-in by a password alone, which is too old for that.
            UnavailableError: A store is away.
        """
        user = await self._users.get(login.tenant_id, login.user_id)
        facts = facts_of_login(login, user, now=self._now())
        in_force = await self._policies.effective(
            login.tenant_id, login.client_id, user.user_id, user.groups, facts=facts
        )
        floor = await self._floors.wanted_acr(login, in_force.policy, ip_address)
        wanted = max(login.asked_acr, in_force.policy.required_acr, floor)
        enrolled = await self._factors.enrolled(login.tenant_id, user.user_id)
        await self._check_standing(login, enrolled)
        following = next_step(
            [Proved.from_text(text) for text in login.proved],
            enrolled=enrolled,
            wanted=wanted,
            # Whoever has proved anything is at level 1: below it nothing is ever enrolled.
            enrollable=await self._factors.best(login.tenant_id) if wanted > 1 else (),
            second_factor=in_force.policy.second_factor,
        )
        if following.state == "COMPLETE" and not login.is_step_up:
            await self._check_age(login, in_force.policy.password_max_age)
        login = replace(login, state=following.state)
        if following.state == "FACTOR_REQUIRED":
            return replace(login, challenges=await self._challenges(login, following.methods))
        if following.state == "ENROLMENT_REQUIRED" and not following.methods:
            raise LevelUnreachableError(wanted)
        return replace(login, challenges=dict.fromkeys(following.methods, ""))

    async def renewed(self, login: Login) -> Login:
        """A login with challenges that can be answered now."""
        if login.state != "FACTOR_REQUIRED":
            return login
        methods = [method for method in METHODS if method in login.challenges]
        return replace(login, challenges=await self._challenges(login, methods))

    async def check_standing(self, login: Login) -> None:
        """Raises `LoginNotFoundError` where something that the login has proved counts no more."""
        await self._check_standing(login, await self._factors.enrolled(login.tenant_id, login.user_id))

    async def check_enrolling(self, login: Login) -> None:
        """Raises `LoginNotFoundError` where what the login has proved is no longer enough to enrol something.

        Its user may have enrolled a factor elsewhere meanwhile, which would have to be proved first.
        """
        try:
            is_to_enrol = (await self.after(login)).state == "ENROLMENT_REQUIRED"
        except UserNotFoundError:
            is_to_enrol = False
        if not is_to_enrol:
            raise LoginNotFoundError

    async def _check_standing(self, login: Login, enrolled: Sequence[Proved]) -> None:
        """Ends a login whose factors were changed since it began.

        Else whoever has learned a password, and is asked to enrol something with it, could do so after the owner has
        set another one.
        """
        methods = {Proved.from_text(text).method for text in login.proved}
        is_there = methods & _LASTING <= {one.method for one in enrolled}
        if is_there and "password" in methods:
            password = await self._passwords.find(login.tenant_id, login.user_id)
            is_there = password is not None and password.create_time <= login.begin_time
        if not is_there:
            raise LoginNotFoundError

    async def _check_age(self, login: Login, most: timedelta) -> None:
        """Holds a password that is the only factor of a sign-in to the age that the policy sets."""
        proved = [Proved.from_text(text) for text in login.proved]
        # A code by mail beside it makes it no two factors.
        if not most or level_of(proved).acr > 1 or all(one.method != "password" for one in proved):
            return
        password = await self._passwords.find(login.tenant_id, login.user_id)
        if password is not None and password.create_time + most <= self._now():
            raise PasswordExpiredError(most)

    async def _challenges(self, login: Login, methods: Iterable[Method]) -> dict[str, str]:
        factors = [factor for factor in map(self._factors.of, methods) if factor is not None]
        return {factor.method: await factor.challenge(login) for factor in factors}
