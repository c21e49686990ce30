"""What a subject has proved, which level that is (AAL of NIST SP 800-63B-4), and what may be asked next.

Pure: no store and no clock, so that every order of factors can be tried.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, combinations
from typing import Final, Literal, Self, cast

from argus.base.factor_kinds import has_counting_factor
from argus.base.policy import SecondFactor

Method = Literal["password", "totp", "recovery_code", "email_code", "webauthn"]
"""A kind of factor."""

NextState = Literal["COMPLETE", "FACTOR_REQUIRED", "ENROLMENT_REQUIRED"]
"""How far a login has come."""

METHODS: Final[tuple[Method, ...]] = ("password", "webauthn", "totp", "recovery_code", "email_code")
"""In the order in which they are offered."""

HIGHEST_ACR: Final = 3

# What RFC 8176 calls them, in the order in which tokens name them (`rust_core/core/src/token/levels.rs`).
_AMR_ORDER: Final = ("pwd", "otp", "mfa", "hwk", "swk", "user")
_MULTI_FACTOR_ACR: Final = 2
# Something the user has, besides a password. A code by mail is none: mailboxes are opened with passwords.
_POSSESSIONS: Final = frozenset({"totp", "recovery_code", "webauthn"})
# Whoever has one of them is asked for it; recovery codes only stand in for them.
_SECOND_FACTORS: Final = frozenset({"totp", "webauthn"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Proved:
    """A factor that was proved, or that could be.

    Attributes:
        method: Its kind.
        user_verified: The authenticator has verified its user: it is two factors in one (WebAuthn UV).
        device_bound: Its key can't be copied to another device (WebAuthn: not backup-eligible).
        attested: Its maker's statement was verified (WebAuthn).
        built_in: It is part of what the user signs in on, by the word of its browser (WebAuthn: platform).
    """

    method: Method
    user_verified: bool = False
    device_bound: bool = False
    attested: bool = False
    built_in: bool = False

    def to_text(self) -> str:
        """As `from_text` takes it: the method, and the names of what is true of it."""
        return ":".join([self.method, *(name for name in _FLAGS if getattr(self, name))])

    @classmethod
    def from_text(cls, text: str) -> Self:
        """What `to_text` gave."""
        method, *flags = text.split(":")
        return cls(method=cast("Method", method), **dict.fromkeys(flags, True))


_FLAGS: Final = ("user_verified", "device_bound", "attested", "built_in")


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """What a session may say of its authentication.

    Attributes:
        acr: 1 to 3; 0: nothing was proved.
        amr: Methods (RFC 8176).
    """

    acr: int
    amr: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Next:
    """What a login is to do after a factor was proved.

    Attributes:
        methods: What may be answered (FACTOR_REQUIRED), or be enrolled (ENROLMENT_REQUIRED).
    """

    state: NextState
    methods: tuple[Method, ...] = ()


def level_of(proved: Iterable[Proved]) -> Level:
    """The level that factors reach together; never more than was proved."""
    factors = tuple(proved)
    methods = {one.method for one in factors}
    acr = min(1, len(factors))
    if any(one.user_verified for one in factors) or ("password" in methods and methods & _POSSESSIONS):
        acr = _MULTI_FACTOR_ACR
    if any(one.user_verified and one.device_bound and one.attested for one in factors):
        acr = HIGHEST_ACR
    names = {name for one in factors for name in _names(one)} | ({"mfa"} if acr >= _MULTI_FACTOR_ACR else set())
    return Level(acr=acr, amr=tuple(name for name in _AMR_ORDER if name in names))


def shows_hardware(proved: Iterable[Proved]) -> bool:
    """Whether one of the factors is a key in the hardware of what the user signs in on.

    That it is in hardware is its maker's statement, and never a browser's or a backend's. Where that hardware is, only
    the browser can say; whoever lies about it still has to hold the hardware.
    """
    return any(one.attested and one.device_bound and one.built_in for one in proved)


def counting_acr(proved: Sequence[Proved], kind: SecondFactor) -> int:
    """The level that factors reach together where only second factors of a kind count."""
    level = level_of(proved)
    return level.acr if has_counting_factor(level.amr, kind) else min(1, level.acr)


def next_step(
    proved: Sequence[Proved],
    *,
    enrolled: Sequence[Proved],
    wanted: int,
    enrollable: Sequence[Proved] = (),
    second_factor: SecondFactor = "any",
) -> Next:
    """What is asked of a user who has proved something.

    Whoever has a second factor is asked for it, whatever is wanted. Nothing is enrolled before all that the user has
    towards the wanted level was proved: else the weakest factor would be enough to add a strong one.

    Args:
        proved: In this login.
        enrolled: What the user could prove.
        wanted: Level that is asked for, or that the policy requires.
        enrollable: What the user could enrol.
        second_factor: Kind of factor that counts towards what is wanted.
    """

    def counting(factors: Sequence[Proved]) -> int:
        return counting_acr(factors, second_factor)

    has_second_factor = any(one.method in _SECOND_FACTORS for one in enrolled)
    needed = max(wanted, _MULTI_FACTOR_ACR) if has_second_factor else wanted
    missing = _missing(proved, enrolled, needed, counting)
    # Before something is enrolled all that is there was proved, also what does not count.
    if not missing and counting(proved) < wanted:
        missing = _missing(proved, enrolled, needed, _acr)
    if missing:
        return Next(state="FACTOR_REQUIRED", methods=_ordered(missing))
    if has_second_factor and not any(one.method in _POSSESSIONS for one in proved):
        # It lifts a code by mail to no level; it is asked for all the same.
        return Next(
            state="FACTOR_REQUIRED", methods=_ordered({one.method for one in enrolled if one.method in _POSSESSIONS})
        )
    if counting(proved) < wanted:
        lifting = {one.method for one in enrollable if counting([*proved, one]) >= wanted}
        return Next(state="ENROLMENT_REQUIRED", methods=_ordered(lifting))
    return Next(state="COMPLETE")


def _acr(factors: Sequence[Proved]) -> int:
    return level_of(factors).acr


def _missing(
    proved: Sequence[Proved], enrolled: Sequence[Proved], needed: int, acr: Callable[[Sequence[Proved]], int]
) -> set[Method]:
    """The methods that stand in some way to what can be reached of the need, and are not superfluous in it."""
    target = min(needed, acr([*proved, *enrolled]))
    return {
        one.method
        for one in enrolled
        if any(
            acr([*proved, *others]) < target <= acr([*proved, *others, one])
            for others in _subsets([other for other in dict.fromkeys(enrolled) if other != one])
        )
    }


def _subsets(factors: Sequence[Proved]) -> Iterable[tuple[Proved, ...]]:
    return chain.from_iterable(combinations(factors, size) for size in range(len(factors) + 1))


def _ordered(methods: set[Method]) -> tuple[Method, ...]:
    return tuple(method for method in METHODS if method in methods)


def _names(one: Proved) -> tuple[str, ...]:
    match one.method:
        case "password":
            return ("pwd",)
        case "webauthn":
            return ("hwk" if one.device_bound else "swk", *(("user",) if one.user_verified else ()))
        case _:
            return ("otp",)
