"""What a login asks of a kind of factor: the one interface by which kinds are plugged in."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from argus.base.errors import ArgusError, Code
from argus.base.origin import Origin
from argus.credentials.levels import METHODS, Level, Method, Proved, level_of
from argus.credentials.service import Passwords
from argus.sessions.login_store import Login
from argus.v1.errors_pb2 import ErrorReason


class FactorRefusedError(ArgusError):
    """Identifier and factor do not fit; the same whether the user exists."""

    def __init__(self) -> None:
        super().__init__(
            Code.UNAUTHENTICATED, ErrorReason.ERROR_REASON_FACTOR_REFUSED, "identifier and factor do not fit"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What a look at an answer found.

    Attributes:
        proved: What it proves; None: it is wrong.
        user_id: Whose factor it is, where the answer itself says so (a passkey, in a login without an identifier).
        is_closed: It takes no tries from unknown devices.
        is_over: It takes none from any: it has to be replaced.
        rule: What a wrong answer broke, where more is known than that; for the audit alone.
        found: What the factor wants to have back in `use`; never shown.
    """

    proved: Proved | None = None
    user_id: str | None = None
    is_closed: bool = False
    is_over: bool = False
    rule: str = ""
    found: Any = field(default=None, repr=False)


class Factor(Protocol):
    """A kind of factor."""

    @property
    def method(self) -> Method:
        """Its kind."""

    @property
    def begins(self) -> bool:
        """Whether it may be the first of a login: then it is offered to everybody, whether they have it or not."""

    @property
    def names_its_user(self) -> bool:
        """Whether an answer says whose it is, so that a login with it can do without an identifier (a passkey)."""

    async def enrolled(self, tenant_id: str, user_id: str) -> Sequence[Proved]:
        """What the user could prove with what it has enrolled and may use; none: nothing."""

    async def challenge(self, login: Login) -> str:
        """What the client needs in order to answer (WebAuthn: request options as JSON); "": nothing.

        Called whenever the factor is offered, and when the login is read again: what can still be answered stays as it
        is. While `login.proved` is empty, neither the text nor the work may tell anything about the user, not even
        whether there is one.
        """

    async def check(self, login: Login, user_id: str | None, answer: str) -> Check:
        """Looks at an answer and changes nothing yet; the same work whether there is a user.

        Args:
            login: The login.
            user_id: Who the answer must be of; None: nobody is known, or nobody has the identifier.
            answer: As presented.

        Raises:
            ArgusError: It can't be judged now (a store is away); the try does not count.
        """

    async def use(self, login: Login, check: Check, answer: str, *, origin: Origin) -> bool:
        """Notes that a right answer was let in; False: it was used before, and so is none.

        Atomic: of any number of uses of what counts once, one is True.
        """

    async def close(self, tenant_id: str, user_id: str, *, origin: Origin) -> None:
        """Lets unknown devices try it no more until it is replaced (NIST SP 800-63B-4, 3.2.2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolment:
    """A factor that is being enrolled; it counts for nothing before it is confirmed.

    Attributes:
        enrolment_id: Its id.
        secret: For typing it in, where there is one (TOTP: base32).
        uri: What an app takes it from (otpauth).
        qr_svg: The same as a picture.
        options_json: WebAuthn creation options.
    """

    enrolment_id: str
    secret: str = field(default="", repr=False)
    uri: str = field(default="", repr=False)
    qr_svg: str = field(default="", repr=False)
    options_json: str = field(default="", repr=False)


class EnrollableFactor(Factor, Protocol):
    """A kind of factor that a user can enrol in the middle of a login, where the level that is wanted needs it."""

    async def best(self, tenant_id: str) -> Proved:
        """The most that one of them could prove, as the tenant has it."""

    async def begin(self, login: Login) -> Enrolment:
        """Makes one for the user of the login; one that was begun before is forgotten."""

    async def confirm(self, login: Login, answer: str, *, origin: Origin) -> Proved | None:
        """Enrols what was begun, if the answer is right: it proves the factor, too. None: it is wrong, or too late."""


class Factors:
    """The kinds of factors of this installation."""

    def __init__(self, factors: Iterable[Factor], *, enrollable: Iterable[EnrollableFactor] = ()) -> None:
        """Takes the kinds.

        Args:
            factors: Those that can be proved.
            enrollable: Those that can be enrolled in a login, too.
        """
        self._enrollable: Final = {one.method: one for one in enrollable}
        self._factors: Final = {one.method: one for one in factors} | self._enrollable

    def of(self, method: Method) -> Factor | None:
        """The kind; None: it is not served."""
        return self._factors.get(method)

    def enrollable(self, method: Method) -> EnrollableFactor | None:
        """The kind, if a login can enrol it."""
        return self._enrollable.get(method)

    def beginning(self, *, is_user_named: bool) -> list[Method]:
        """Those that may be the first of a login, whoever it is about."""
        served = (self._factors[method] for method in METHODS if method in self._factors)
        return [one.method for one in served if one.begins and (is_user_named or one.names_its_user)]

    async def best(self, tenant_id: str) -> list[Proved]:
        """The most that each kind which a login can enrol could prove."""
        return [await one.best(tenant_id) for one in self._enrollable.values()]

    async def highest_acr(self, tenant_id: str) -> int:
        """The level that some user of the tenant could reach."""
        return level_of([Proved(method="password"), *await self.best(tenant_id)]).acr

    async def enrolled(self, tenant_id: str, user_id: str) -> list[Proved]:
        """What the user could prove."""
        return [proved for one in self._factors.values() for proved in await one.enrolled(tenant_id, user_id)]

    async def reachable(self, tenant_id: str, user_id: str) -> Level:
        """The highest level that the user can reach with what it has enrolled: what a change of factors needs."""
        return level_of(await self.enrolled(tenant_id, user_id))


class PasswordFactor:
    """The password of a user."""

    method: Final = "password"
    begins: Final = True
    names_its_user: Final = False

    def __init__(self, passwords: Passwords) -> None:
        self._passwords = passwords

    async def enrolled(self, tenant_id: str, user_id: str) -> Sequence[Proved]:
        """A password, if the user has one."""
        found = await self._passwords.find(tenant_id, user_id)
        return [Proved(method=self.method)] if found is not None else []

    async def challenge(self, login: Login) -> str:
        """Nothing: the user knows it."""
        del login
        return ""

    async def check(self, login: Login, user_id: str | None, answer: str) -> Check:
        """Whether it is the password; hashes as much for a user that does not exist."""
        check = await self._passwords.check(login.tenant_id, user_id, answer, identifier=login.identifier)
        return Check(
            proved=Proved(method=self.method) if check.ok else None,
            is_closed=check.closed_to_unknown_devices,
            is_over=check.to_be_replaced,
            found=check,
        )

    async def use(self, login: Login, check: Check, answer: str, *, origin: Origin) -> bool:
        """Notes the use; a password counts any number of times."""
        del origin
        await self._passwords.used(login.tenant_id, check.found, answer)
        return True

    async def close(self, tenant_id: str, user_id: str, *, origin: Origin) -> None:
        """Closes it to unknown devices."""
        await self._passwords.close_to_unknown_devices(tenant_id, user_id, origin)
