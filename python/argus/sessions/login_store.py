"""Logins in progress, in Redis for ten minutes."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from argus.base.errors import ArgusError, Code
from argus.storage.redis import Redis
from argus.v1.errors_pb2 import ErrorReason

LOGIN_LIFE: Final = timedelta(minutes=10)
"""How long a login may take."""

LoginState = Literal["FACTOR_REQUIRED", "ENROLMENT_REQUIRED", "SESSION_LIMIT_REACHED", "COMPLETE"]
"""How far a login has come; the names are those of `argus.v1.LoginState`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """A sign-in or step-up in progress.

    Attributes:
        client_id: Client that the session will be for, or is for.
        identifier: What the user said it is, in its canonical form (sign-in); empty: its passkey will say.
        device_id: Known device of that very user (sign-in).
        device_class: What the device says to be (step-up: what it said at its sign-in); empty: not known.
        country: Where it was begun, ISO 3166-1; empty: not known.
        device_trusted: Its user trusts that device (sign-in).
        network_class: The kind of network there; empty: not known.
        user_id: Whose session it is (step-up), or who has proved something (sign-in); empty: nobody has yet.
        session_id: The session (step-up).
        cause: Why it steps up, for the audit.
        asked_acr: Level that was asked for; 0: as the policy says.
        proved: What was proved so far (`Proved.to_text` of argus.credentials.levels).
        challenges: What may be answered now, by its kind, each with what the client needs for it (WebAuthn: request
            options as JSON); in state ENROLMENT_REQUIRED what may be enrolled.
        enrolment_id: What is being enrolled.
        ending_choices: Ids of the user's sessions of which some are to be ended (SESSION_LIMIT_REACHED).
        end_at_least: How many of them, as things stood.
        action_sha256: SHA-256 (hex) of the one action that a step-up is for; empty: it is for none.
        action_resource: Resource that the action is carried out at.
        token_sha256: SHA-256 (hex) of the secret that the next submit has to show.
        expire_time: Seconds since 1970.
    """

    tenant_id: str
    login_id: str
    client_id: str
    identifier: str = ""
    scope: str = ""
    resource: str = ""
    device_id: str | None = None
    device_trusted: bool = False
    device_class: str = ""
    country: str = ""
    network_class: str = ""
    user_id: str = ""
    session_id: str = ""
    cause: str = ""
    asked_acr: int = 0
    proved: tuple[str, ...] = ()
    state: LoginState = "FACTOR_REQUIRED"
    challenges: Mapping[str, str] = field(default_factory=dict)
    enrolment_id: str = ""
    ending_choices: tuple[str, ...] = ()
    end_at_least: int = 0
    action_sha256: str = ""
    action_resource: str = ""
    token_sha256: str = ""
    expire_time: float

    @property
    def is_complete(self) -> bool:
        """The session exists, or has its new family."""
        return self.state == "COMPLETE"

    @property
    def is_step_up(self) -> bool:
        """It is for a session that there is already."""
        return bool(self.session_id)

    @property
    def is_of_known_device(self) -> bool:
        """The user is known to use what it comes from: a device, or the session that steps up."""
        return self.is_step_up or self.device_id is not None

    @property
    def begin_time(self) -> datetime:
        """When it was begun."""
        return self.expires_at - LOGIN_LIFE

    @property
    def expires_at(self) -> datetime:
        """When it is gone."""
        return datetime.fromtimestamp(self.expire_time, UTC)

    def completed(self) -> "Login":
        """The same login once its session exists; whom it was about is forgotten."""
        return replace(
            self,
            state="COMPLETE",
            challenges={},
            identifier="",
            device_id=None,
            user_id="",
            session_id="",
            proved=(),
            ending_choices=(),
            end_at_least=0,
        )


class LoginNotFoundError(ArgusError):
    """No such login, or it has expired, or its token was used before."""

    def __init__(self) -> None:
        super().__init__(Code.NOT_FOUND, ErrorReason.ERROR_REASON_LOGIN_NOT_FOUND, "no such login; start a new one")


class LoginCompleteError(ArgusError):
    """The login is complete and takes no further factor."""

    def __init__(self) -> None:
        super().__init__(
            Code.FAILED_PRECONDITION,
            ErrorReason.ERROR_REASON_LOGIN_COMPLETE,
            "the login is complete; start a new one to sign in again",
        )


class LoginStore:
    """Logins by tenant and id."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def add(self, login: Login) -> None:
        """Keeps a new login."""
        async with self._redis.guard():
            await self._redis.client.set(_key(login.tenant_id, login.login_id), _pack(login), ex=LOGIN_LIFE)

    async def get(self, tenant_id: str, login_id: str, *, now: datetime) -> Login | None:
        """The login, or None if there is none (any more)."""
        async with self._redis.guard():
            content = await self._redis.client.get(_key(tenant_id, login_id))
        login = _unpack(content) if content else None
        return login if login is not None and now < login.expires_at else None

    async def replace(self, login: Login) -> None:
        """Changes a login that is still there."""
        key = _key(login.tenant_id, login.login_id)
        async with self._redis.guard():
            await self._redis.client.set(key, _pack(login), keepttl=True, xx=True)

    async def remove(self, tenant_id: str, login_id: str) -> None:
        """Forgets a login."""
        async with self._redis.guard():
            await self._redis.client.delete(_key(tenant_id, login_id))

    async def claim(self, login: Login) -> bool:
        """Spends the login's token; True for the one caller that does."""
        async with self._redis.guard():
            claimed = await self._redis.client.set(_spent_key(login), b"1", ex=LOGIN_LIFE, nx=True)
        return bool(claimed)

    async def unclaim(self, login: Login) -> None:
        """Gives the token back: nothing came of it."""
        async with self._redis.guard():
            await self._redis.client.delete(_spent_key(login))


def _key(tenant_id: str, login_id: str) -> str:
    return f"a1:l:{tenant_id}:{login_id}"


def _spent_key(login: Login) -> str:
    return f"{_key(login.tenant_id, login.login_id)}:{login.token_sha256[:32]}"


def _pack(login: Login) -> str:
    return json.dumps(asdict(login))


def _unpack(content: bytes | str) -> Login:
    fields = json.loads(content)
    lists = {name: tuple(fields.get(name, ())) for name in ("proved", "ending_choices")}
    return Login(**{**fields, **lists})
