"""What sign-ins and step-ups have in common: a login in progress, the tries at its factors, its one completion.

A login is handed one factor after the other. Each that is accepted spends the login's token and is kept in the login,
until the level that is wanted is reached (`flows.progress`).
"""

import hmac
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TypeAlias

from argus.base.clock import Now
from argus.base.errors import InvalidFieldError, UnavailableError
from argus.base.events import Event
from argus.base.ids import new_secret, sha256
from argus.base.origin import Origin
from argus.credentials.levels import Level, Method, Proved, level_of
from argus.flows.create_session import CreatedSession
from argus.flows.factors import Enrolment, FactorRefusedError, Factors
from argus.flows.progress import PasswordExpiredError, Progress
from argus.flows.tries import Tries, login_event
from argus.sessions.errors import EndingChoiceNeededError
from argus.sessions.login_store import Login, LoginCompleteError, LoginNotFoundError, LoginStore
from argus.sessions.model import ACR_PREFIX
from argus.storage.postgres import Database
from argus.users.model import UserNotFoundError

Work: TypeAlias = Callable[[Login], Awaitable[CreatedSession]]
"""What a login is for: it begins a session, or a new family of one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A login after a step.

    Attributes:
        login_token: Secret for the next submit; empty once it is complete.
        created: The session, or its new family, once it is complete.
    """

    login: Login
    login_token: str = ""
    created: CreatedSession | None = None


class Logins:
    """Logins in progress, whatever they are for."""

    def __init__(
        self,
        db: Database,
        store: LoginStore,
        factors: Factors,
        tries: Tries,
        progress: Progress,
        *,
        now: Now,
    ) -> None:
        self._db = db
        self._store = store
        self._factors = factors
        self._tries = tries
        self._progress = progress
        self._now = now

    async def begin(self, login: Login, event: str, *, origin: Origin) -> Step:
        """Keeps a new login, and makes the secret for its first factor.

        Raises:
            InvalidFieldError: No factor here reaches the level that is asked for.
            UnavailableError: A store is away.
        """
        if login.asked_acr > 1:
            highest = await self._factors.highest_acr(login.tenant_id)
            if login.asked_acr > highest:
                raise InvalidFieldError("acr_values", f"no factor here reaches more than {ACR_PREFIX}{highest}")
        secret = new_secret()
        login = replace(await self._progress.begun(login), token_sha256=sha256(secret).hex())
        await self._store.add(login)
        await self._db.record(origin, login_event(login, event, data={"cause": login.cause}), self._now())
        return Step(login=login, login_token=f"{login.login_id}.{secret}")

    async def get(self, tenant_id: str, login_id: str) -> Login:
        """The login as it stands; challenges that were answered or have expired are there anew.

        Raises:
            LoginNotFoundError: There is none (any more).
        """
        login = await self._store.get(tenant_id, login_id, now=self._now())
        if login is None:
            raise LoginNotFoundError
        return await self._progress.renewed(login)

    async def of_token(self, tenant_id: str, login_token: str) -> Login:
        """The login that a token is the present secret of.

        Raises:
            LoginNotFoundError: The token is not that of a login in progress.
            LoginCompleteError: The login is complete.
        """
        login_id, _, secret = login_token.partition(".")
        login = await self._store.get(tenant_id, login_id, now=self._now()) if login_id else None
        if login is None or not hmac.compare_digest(login.token_sha256, sha256(secret).hex()):
            raise LoginNotFoundError
        if login.is_complete:
            raise LoginCompleteError
        return login

    async def shown(self, tenant_id: str, login_token: str) -> Login:
        """The login of a token, with challenges that can be answered now; raises what `of_token` does."""
        return await self._progress.renewed(await self.of_token(tenant_id, login_token))

    async def cancel(self, tenant_id: str, login_id: str, *, origin: Origin) -> None:
        """Gives a login up; one that is complete stays, and so does its session.

        Raises:
            LoginNotFoundError: There is none (any more).
        """
        login = await self.get(tenant_id, login_id)
        if not login.is_complete:
            await self._store.remove(tenant_id, login_id)
            event = Event(
                type="login.cancelled",
                client_id=login.client_id,
                session_id=login.session_id or None,
                data={"login": login_id},
            )
            await self._db.record(origin, event, self._now())

    async def submit(
        self,
        login: Login,
        method: Method,
        answer: str,
        work: Work,
        *,
        origin: Origin,
    ) -> Step:
        """Takes a factor. One that is refused leaves the login as it was.

        Args:
            login: The login.
            method: Kind of the factor.
            answer: As presented.
            work: What the login is for; done with it once the level that is wanted is reached.
            origin: On whose behalf.

        Raises:
            InvalidFieldError: It is not among the login's challenges.
            GuessingThrottledError: Too many failures came before.
            FactorRefusedError: Identifier and factor do not fit, or it was used before.
            LevelUnreachableError: The policy requires a level that nothing here reaches.
            PasswordExpiredError: The password, the only factor of a sign-in, is older than the policy lets it be.
            LoginNotFoundError: The login's token was spent meanwhile, or something that it has proved was replaced.
            UnavailableError: A store is away; the try does not count.
        """
        factor = self._factors.of(method)
        if factor is None or method not in login.challenges:
            raise InvalidFieldError(method, "is not among the login's challenges")
        if login.state == "ENROLMENT_REQUIRED":
            await self._progress.check_enrolling(login)
            user_id, proved = await self._enrol(login, method, answer, origin)
        else:
            if login.proved:
                await self._progress.check_standing(login)  # before a code is spent in vain
            user_id, proved = await self._tries.prove(login, factor, answer, origin=origin)
        texts = tuple(dict.fromkeys([*login.proved, proved.to_text()]))
        try:
            proven = replace(login, user_id=user_id, proved=texts, enrolment_id="")
            after = await self._progress.after(proven, ip_address=origin.ip_address)
        except UserNotFoundError:
            raise FactorRefusedError from None  # since the factor was checked
        except PasswordExpiredError:
            event = login_event(
                replace(login, user_id=user_id), "factor.refused", is_failure=True, reason="PASSWORD_EXPIRED"
            )
            await self._db.record(origin, event, self._now())
            raise
        if after.is_complete:
            return await self._complete(login, after, work)
        return await self._go_on(login, after, proved, origin)

    async def choose(self, login: Login, work: Work) -> Step:
        """Goes on with a login whose user has chosen sessions to end; `work` ends them with what the login is for.

        Raises:
            InvalidFieldError: The login does not ask for it.
            LoginNotFoundError: The login's token was spent meanwhile, or something that it has proved was replaced.
            UnavailableError: A store is away.
        """
        if login.state != "SESSION_LIMIT_REACHED":
            raise InvalidFieldError("end_sessions", "is not among the login's challenges")
        await self._progress.check_standing(login)
        return await self._complete(login, login, work)

    async def begin_enrolment(self, login: Login, method: Method, *, origin: Origin) -> tuple[Login, Enrolment]:
        """Makes a factor for the user of a login that asks for one; it counts once it is handed in.

        Raises:
            InvalidFieldError: It is not among those that the login asks to enrol.
            LoginNotFoundError: What the login has proved is not enough for it any more.
            LevelUnreachableError: Nothing reaches the level that is wanted any more.
            UnavailableError: A store is away.
        """
        factor = self._factors.enrollable(method)
        if factor is None or login.state != "ENROLMENT_REQUIRED" or method not in login.challenges:
            raise InvalidFieldError("kind", "is not among those that the login asks to enrol")
        await self._progress.check_enrolling(login)
        enrolment = await factor.begin(login)
        login = replace(login, enrolment_id=enrolment.enrolment_id)
        await self._store.replace(login)
        event = login_event(login, "factor.enrolment_started", data={"method": method})
        await self._db.record(origin, event, self._now())
        return login, enrolment

    async def _enrol(self, login: Login, method: Method, answer: str, origin: Origin) -> tuple[str, Proved]:
        factor = self._factors.enrollable(method)
        if factor is None or not login.enrolment_id:
            raise InvalidFieldError(method, "is to be enrolled first: call StartEnrolment")
        proved = await factor.confirm(login, answer, origin=origin)
        if proved is None:
            event = login_event(login, "factor.refused", is_failure=True, reason="WRONG_FACTOR")
            await self._db.record(origin, event, self._now())
            raise FactorRefusedError
        return login.user_id, proved

    async def _go_on(self, before: Login, after: Login, proved: Proved, origin: Origin) -> Step:
        """Keeps what was proved, under a new token, for the one caller that spends the one before."""
        if not await self._store.claim(before):
            raise LoginNotFoundError
        secret = new_secret()
        after = replace(after, token_sha256=sha256(secret).hex())
        await self._store.replace(after)
        event = login_event(after, "factor.proved", data={"method": proved.method, "state": after.state})
        await self._db.record(origin, event, self._now())
        return Step(login=after, login_token=f"{after.login_id}.{secret}")

    async def _complete(self, before: Login, after: Login, work: Work) -> Step:
        """Does what the login is for, once, however many hand in its token; a failure gives the token back.

        Raises:
            LoginNotFoundError: The token has been spent.
        """
        if not await self._store.claim(before):
            raise LoginNotFoundError
        try:
            created = await work(after)
        except EndingChoiceNeededError as needed:
            return await self._ask_to_choose(after, needed)
        except BaseException:
            with suppress(UnavailableError):  # the user starts anew
                await self._store.unclaim(before)
            raise
        done = before.completed()
        with suppress(UnavailableError):  # its token is spent all the same
            await self._store.replace(done)
        return Step(login=done, created=created)

    async def _ask_to_choose(self, login: Login, needed: EndingChoiceNeededError) -> Step:
        """Keeps a login that has proved all until its user has chosen; it holds no place meanwhile."""
        secret = new_secret()
        login = replace(
            login,
            state="SESSION_LIMIT_REACHED",
            challenges={},
            ending_choices=tuple(needed.choices),
            end_at_least=needed.surplus,
            token_sha256=sha256(secret).hex(),
        )
        await self._store.replace(login)
        return Step(login=login, login_token=f"{login.login_id}.{secret}")


def proved_factors(login: Login) -> list[Proved]:
    """What the login has proved."""
    return [Proved.from_text(text) for text in login.proved]


def proved_level(login: Login) -> Level:
    """The level that the login has reached."""
    return level_of(proved_factors(login))
