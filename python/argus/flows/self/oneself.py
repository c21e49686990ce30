"""The user that acts for itself."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Self

from argus.base.ids import parse_name, session_name, user_name
from argus.base.origin import Origin
from argus.sessions.errors import TokenInvalidError
from argus.sessions.model import ACR_PREFIX
from argus.v1.token_service_pb2 import VerifyAccessTokenResponse


@dataclass(frozen=True, slots=True, kw_only=True)
class Oneself:
    """A user and the session that it acts from. Whoever makes one has verified its access token, with STRONG.

    Attributes:
        client_id: Client of the session.
        acr: Level that the session's user has proved.
        auth_time: When it did.
    """

    tenant_id: str
    user_id: str
    session_id: str
    client_id: str
    acr: int
    auth_time: datetime

    @classmethod
    def of(cls, verified: VerifyAccessTokenResponse) -> Self:
        """Whom a verified access token is of.

        Raises:
            TokenInvalidError: Nobody: it is a client token.
        """
        ids = parse_name("session", verified.session)
        if ids is None:
            raise TokenInvalidError
        tenant_id, user_id, session_id = ids
        return cls(
            tenant_id=tenant_id,
            user_id=user_id,
            session_id=session_id,
            client_id=verified.client_id,
            acr=int(verified.acr.removeprefix(ACR_PREFIX)),
            auth_time=verified.auth_time.ToDatetime(tzinfo=UTC),
        )

    @property
    def user(self) -> str:
        """Resource name of the user."""
        return user_name(self.tenant_id, self.user_id)

    @property
    def session(self) -> str:
        """Resource name of the session."""
        return session_name(self.tenant_id, self.user_id, self.session_id)

    def origin(self, origin: Origin) -> Origin:
        """The call's origin, on the user's own behalf: its request ids are its own, and the audit says who did it."""
        return replace(origin, tenant_id=self.tenant_id, actor=f"user:{self.user_id}")

    def own_session(self, name: str) -> str | None:
        """The id in the resource name of a session of the user; None: it names none of its own, whatever else."""
        ids = parse_name("session", name)
        return ids[2] if ids is not None and ids[:2] == (self.tenant_id, self.user_id) else None

    def own_device(self, name: str) -> str | None:
        """The id in the resource name of a device of the user, or the id itself; None: as for `own_session`."""
        ids = parse_name("device", name)
        if ids is None:
            return name
        return ids[2] if ids[:2] == (self.tenant_id, self.user_id) else None
