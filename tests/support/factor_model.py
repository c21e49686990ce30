"""The plainest model of a user's factors: what it has, what it still holds, and which level that is.

Written from the tables of `docs/guides/factors.md` and `docs/guides/ways-back.md`; it knows nothing of the code.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from tests.support.virtual_authenticator import text

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from argus.v1 import authentication_service_pb2 as authentication
    from tests.support.authenticator import App
    from tests.support.virtual_authenticator import Authenticator

AMR: Final = ("pwd", "otp", "mfa", "hwk", "swk", "user")
GUIDE: Final = Path(__file__).parents[2] / "docs" / "guides" / "ways-back.md"

Way = Literal[
    "sign in",
    "recovery code",
    "enrol at sign-in",
    "recovery mail",
    "link in the hand",
    "reset of factors",
    "enable",
    "lower the level",
]
"""A documented way back."""


@dataclass(slots=True, kw_only=True)
class Key:
    """A passkey or security key.

    Attributes:
        name: Resource name of the credential.
        is_lost: Nobody holds it any more.
    """

    name: str
    authenticator: Authenticator
    is_lost: bool = False

    @property
    def proof(self) -> str:
        """What an answer of it proves."""
        one = self.authenticator
        facts = ((one.verifies_user, "+verified"), (not one.is_syncable, "+bound"), (one.maker is not None, "+made"))
        return "key" + "".join(name for is_so, name in facts if is_so)

    def may_answer(self, login: authentication.Login) -> bool:
        """A login names those that it takes, or none where it takes any."""
        options = next((one.webauthn_options_json for one in login.challenges if one.webauthn_options_json), "")
        allowed = [one["id"] for one in json.loads(options)["allowCredentials"]] if options else []
        return not allowed or any(text(one.webauthn_id) in allowed for one in self.authenticator.credentials)


@dataclass(slots=True, kw_only=True)
class Pending:
    """A login that was left half done."""

    step: authentication.SubmitFactorResponse
    proofs: list[str]
    wanted: int
    session: str
    begun: datetime
    password: str
    keys: list[str]
    app: App | None


@dataclass(slots=True, kw_only=True)
class Model:
    """What the user has.

    Attributes:
        password: The one that is good; empty: none.
        is_forgotten: Nobody knows it any more.
        codes: Recovery codes in the user's drawer that were not used.
        codes_left: How many the server has.
        required: Level that the policy requires.
        attests: New keys prove their make, so that level 3 can be reached.
        mails: One-time codes that were sent.
        failures: Wrong answers in a row, by what they were.
    """

    password: str
    is_forgotten: bool = False
    app: App | None = None
    is_app_lost: bool = False
    keys: list[Key] = field(default_factory=list)
    codes: list[str] = field(default_factory=list)
    codes_left: int = 0
    is_disabled: bool = False
    required: int = 1
    attests: bool = False
    mails: int = 0
    failures: Counter[str] = field(default_factory=Counter)

    @property
    def enrolled(self) -> set[str]:
        """What could be proved if nothing was lost."""
        return {
            *(["password"] if self.password else []),
            *(["app"] if self.app else []),
            *(["code"] if self.codes_left else []),
            *(key.proof for key in self.keys),
        }

    @property
    def held(self) -> set[str]:
        """What the user can prove."""
        return {
            *(["password"] if self.password and not self.is_forgotten else []),
            *(["app"] if self.app and not self.is_app_lost else []),
            *(["code"] if self.codes else []),
            *(key.proof for key in self.keys if not key.is_lost),
        }

    @property
    def has_second_factor(self) -> bool:
        """It is asked for one at every sign-in."""
        return self.app is not None or bool(self.keys)

    def way(self) -> Way:
        """The way back that is open now: the first one that has to be taken."""
        if self.is_disabled:
            return "enable"
        if self.required > (3 if self.attests else 2):
            return "lower the level"
        able = level(self.held)[0]
        needed = max(self.required, 2 if self.has_second_factor else 1)
        if able >= min(needed, level(self.enrolled)[0]) and self.has_begun:
            if level(self.enrolled)[0] < self.required:
                return "enrol at sign-in"
            return "sign in" if level(self.held - {"code"})[0] >= needed else "recovery code"
        if not self.password or self.is_forgotten:
            return "recovery mail"
        return "reset of factors"

    @property
    def has_begun(self) -> bool:
        """It holds something that a sign-in can begin with, and the second factor if it has one."""
        begins = any(one == "password" or one.startswith("key") for one in self.held)
        second = any(one != "password" for one in self.held)
        return begins and (second or not self.has_second_factor)


def level(proofs: Iterable[str]) -> tuple[int, list[str]]:
    """The level and the methods of what was proved, by the first table of the guide."""
    proved = set(proofs)
    keys = {one for one in proved if one.startswith("key")}
    names = {"pwd"} if "password" in proved else set()
    names |= {"otp"} if proved & {"app", "code", "mail"} else set()
    for key in keys:
        names |= {"hwk" if "+bound" in key else "swk"} | ({"user"} if "+verified" in key else set())
    reached = 1 if proved else 0
    if "password" in proved and (keys or proved & {"app", "code"}):
        reached = 2
    if any("+verified" in key for key in keys):
        reached = 2
    if "key+verified+bound+made" in keys:
        reached = 3
    if reached > 1:
        names.add("mfa")
    return reached, [name for name in AMR if name in names]


def documented_ways() -> set[str]:
    """The ways that the guide names."""
    return set(re.findall(r"^\| `([^`]+)` \|", GUIDE.read_text("utf-8"), re.MULTILINE))
