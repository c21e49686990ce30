"""What trust is made of, and what follows from it. The arithmetic is the engine's (`argus._core.TrustInputs`)."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Literal, Self

from argus._core import TrustInputs, aged_trust
from argus.base.errors import ArgusError, Code
from argus.base.place import Place
from argus.base.policy import Policy
from argus.trust.state import UNKNOWN_STATE, DeviceState
from argus.v1.errors_pb2 import ErrorReason

KeyKind = Literal["none", "cookie", "software", "hardware"]
"""By what a device is known, from the weakest."""

Shown = Literal["", "token", "key"]
"""What a login shows of its device that whoever only knows of it could not show."""

Key = tuple[str, str]
"""Tenant and device."""

NO_SIGNAL_TRUST: Final = 30.0
"""What a session counts as that was never rated: no more than a device of which nothing is known can have."""

_LOGINS_HALF_LIFE: Final = timedelta(days=60)
_MOST_PLACES: Final = 32
_DAY: Final = timedelta(days=1)
# A key that was shown at so many sign-ins is the device's, and missed where it is not shown.
_ENROLLED: Final = 2
_LEVEL_THAT_CHANGES_KEYS: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One part of a score.

    Attributes:
        code: What it is about.
        weight: What it adds to the logit of the score.
        seen: The value that it is made of.
        cap: Highest score that it leaves, where it is a cap that was applied.
    """

    code: str
    weight: float
    seen: str
    cap: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rating:
    """A score, 0 to 100, and the terms that add up to it."""

    score: float
    terms: Sequence[Term]

    @classmethod
    def of(cls, told: tuple[float, list[tuple[str, float, str, float | None]]]) -> Self:
        """As the engine tells it."""
        score, terms = told
        return cls(
            score=score,
            terms=[Term(code=code, weight=weight, seen=seen, cap=cap) for code, weight, seen, cap in terms],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """What a passed login shows of its device.

    Attributes:
        is_known: The device was known before.
        shown: By what, as far as that can be proved: its key, or its token; "": by neither.
        has_hardware: A key in its hardware was proved, whose maker says that it is there.
        binding: Print of the key that its session is bound to.
        acr: Level that its user reached.
        place: Where it came from.
        state: What is known of the device's state now; None: nobody has looked.
    """

    is_known: bool
    shown: Shown
    binding: bytes | None
    client_id: str
    acr: int
    place: Place
    state: DeviceState | None = None
    has_hardware: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceTrust:
    """What trust in a device is made of; None is unknown.

    Attributes:
        passed: Passed logins, faded up to `counted_time`.
        failed: Failed ones, likewise.
        places: Network and country of the last logins, the newest last.
        key_kind: By what it was known at its last sign-in.
        key_print: The key that its sessions of one client were bound to; empty: a second factor has taken it away.
        key_uses: At how many sign-ins.
        is_key_missing: The last sign-in came without the enrolled key.
        state: Its state, when somebody last looked.
    """

    tenant_id: str
    device_id: str
    passed: float = 0.0
    failed: float = 0.0
    counted_time: datetime
    places: tuple[str | None, ...] = ()
    key_kind: KeyKind = "none"
    key_print: bytes | None = None
    key_client_id: str | None = None
    key_uses: int = 0
    is_key_missing: bool = False
    last_used_time: datetime | None = None
    state: DeviceState = UNKNOWN_STATE

    def signed_in(self, login: SignedIn, *, now: datetime) -> Self:
        """After a passed login."""
        places = (*self.places, place_key(login.place))[-_MOST_PLACES:]
        faded = self._faded(now)
        keyed = self._with_key(login) if login.is_known else self
        # Hardware counts as long as it is shown, by whoever has shown more than having heard of the device.
        is_hardware = login.is_known and login.has_hardware and login.shown
        return replace(
            keyed,
            key_kind="hardware" if is_hardware else keyed.key_kind,
            passed=faded.passed + 1,
            failed=faded.failed,
            counted_time=now,
            places=places,
            last_used_time=now,
            state=login.state or self.state,
        )

    def proved(self, *, now: datetime) -> Self:
        """After a passed step-up of a session on it."""
        faded = self._faded(now)
        return replace(faded, passed=faded.passed + 1, last_used_time=now)

    def refused(self, *, now: datetime) -> Self:
        """After a failed login or step-up on it."""
        faded = self._faded(now)
        return replace(faded, failed=faded.failed + 1)

    def inputs(self, *, now: datetime) -> TrustInputs:
        """What the engine rates."""
        faded = self._faded(now)
        state = self.state.at(now)
        unused = max(now - self.last_used_time, timedelta()) if self.last_used_time else timedelta()
        return TrustInputs(
            passed=faded.passed,
            failed=faded.failed,
            usual_share=usual_share(self.places),
            key=self.key_kind,
            key_missing=self.is_key_missing,
            patch_days=state.patch_days,
            end_of_life=state.end_of_life,
            integrity_bad=state.integrity_bad,
            unused_days=unused / _DAY,
        )

    def rating(self, *, now: datetime) -> Rating:
        """How far the device is trusted, and why."""
        return Rating.of(self.inputs(now=now).device())

    def session_rating(self, *, risk: float, proof_time: datetime, now: datetime, rated: float | None = None) -> Rating:
        """How far a session on it is trusted, and why.

        Args:
            risk: Of the session.
            proof_time: When its user proved itself.
            now: The time.
            rated: What it was given when it was rated last; None: it is rated now.
        """
        age = max(now - proof_time, timedelta()).total_seconds()
        # It is in use by the very session.
        used = replace(self, last_used_time=now)
        return Rating.of(used.inputs(now=now).session(risk=risk, rated=rated, proof_age_seconds=age))

    def _faded(self, now: datetime) -> Self:
        left = 0.5 ** (max(now - self.counted_time, timedelta()) / _LOGINS_HALF_LIFE)
        return replace(self, passed=self.passed * left, failed=self.failed * left, counted_time=now)

    def _with_key(self, login: SignedIn) -> Self:
        """What a sign-in on the device says of its key.

        A key is the client's: another client on the device has another, or none. One that is missing is replaced only
        by a sign-in with a second factor; whoever copied the cookie has none.
        """
        kind = self._kind_without_hardware()
        kind = "cookie" if kind == "none" and login.shown else kind
        known = replace(self, key_kind=kind)
        if login.shown == "key":
            # It was there at an earlier sign-in, by which the device is known.
            return replace(
                known,
                key_kind="software",
                key_print=login.binding,
                key_client_id=login.client_id,
                key_uses=max(self.key_uses + 1, _ENROLLED),
                is_key_missing=False,
            )
        if self.key_client_id not in (None, login.client_id):
            return known
        if login.binding is not None and login.binding == self.key_print:
            uses = self.key_uses + 1
            if uses >= _ENROLLED and kind == "cookie":
                kind = "software"
            return replace(known, key_kind=kind, key_uses=uses, is_key_missing=False)
        if self.key_uses >= _ENROLLED and login.acr < _LEVEL_THAT_CHANGES_KEYS:
            return replace(known, is_key_missing=True)
        return replace(
            known,
            key_kind="none" if kind == "none" else "cookie",
            key_print=login.binding or (b"" if self.key_uses >= _ENROLLED else None),
            key_client_id=login.client_id if login.binding else None,
            key_uses=1 if login.binding else 0,
            is_key_missing=False,
        )

    def _kind_without_hardware(self) -> KeyKind:
        """By what else the device is known that was last known by its hardware."""
        if self.key_kind != "hardware":
            return self.key_kind
        return "software" if self.key_uses >= _ENROLLED else "cookie"


def blank(key: Key, now: datetime) -> DeviceTrust:
    """A device that nothing is known of."""
    return DeviceTrust(tenant_id=key[0], device_id=key[1], counted_time=now)


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """A floor of trust, 0 to 100; zeros let everything pass.

    Attributes:
        about: Scope or action that it is a floor of; empty: of all.
    """

    step_up_below: int = 0
    deny_below: int = 0
    about: str = ""


def floors(policy: Policy, *, scopes: Sequence[str] = (), action: str = "") -> list[Floor]:
    """The floors that hold for whoever uses some scopes or asks for an action.

    Args:
        policy: In force.
        scopes: What is used.
        action: What is asked for; empty: nothing.
    """
    general = Floor(step_up_below=policy.trust_step_up_below, deny_below=policy.trust_deny_below)
    special = [
        Floor(step_up_below=one.step_up_below, deny_below=one.deny_below, about=one.scope or one.action)
        for one in policy.trust_floors
        if (one.scope and one.scope in scopes) or (one.action and one.action == action)
    ]
    return [one for one in (general, *special) if one.step_up_below or one.deny_below]


def check_deny(found: Sequence[Floor], score: float, *, restored: float) -> None:
    """Raises `TrustTooLowError` where the score is below a floor that denies.

    Args:
        found: The floors.
        score: Trust now.
        restored: Trust after a step-up.
    """
    denied = max((one.deny_below for one in found), default=0)
    if whole(score) < denied:
        raise TrustTooLowError(whole(score), denied, is_mended=whole(restored) >= denied)


def step_up_floor(found: Sequence[Floor], score: float) -> int:
    """The highest floor that the score is below and that asks for a step-up; 0: none."""
    return max((one.step_up_below for one in found if whole(score) < one.step_up_below), default=0)


def whole(score: float) -> int:
    """A score as it is told and compared; halves go up, as the engine has it."""
    return int(score + 0.5)


def aged(score: float, *, proof_time: datetime, now: datetime) -> float:
    """What is left of a session's trust so long after its user's proof."""
    return aged_trust(score, max(now - proof_time, timedelta()).total_seconds())


def place_key(place: Place) -> str | None:
    """Network and country as one text; None where neither is known."""
    if place.asn is None and place.country is None:
        return None
    return f"{'?' if place.asn is None else place.asn}/{place.country or '?'}"


def usual_share(places: Sequence[str | None]) -> float | None:
    """Share of the logins whose place is known that came from the most usual one; None where none is known."""
    known = [place for place in places if place is not None]
    if not known:
        return None
    ((_, most),) = Counter(known).most_common(1)
    return most / len(known)


class TrustTooLowError(ArgusError):
    """A device or session is trusted less than the policy's floor for what it asks for."""

    def __init__(self, score: int, floor: int, *, is_mended: bool) -> None:
        super().__init__(
            Code.PERMISSION_DENIED,
            ErrorReason.ERROR_REASON_TRUST_TOO_LOW,
            f"it is trusted by {score} of 100, and the policy asks for {floor}; ExplainTrust says why, and nextStep "
            "what helps: STEP_UP, or ANOTHER_DEVICE",
            score=score,
            floor=floor,
            nextStep="STEP_UP" if is_mended else "ANOTHER_DEVICE",
        )
