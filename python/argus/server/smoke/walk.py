"""What the steps of the walk share: expectations, and what was found on the way."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, TypeAlias, TypeVar

from argus.server.api import Api, Failure, failure_of
from argus.server.private_stack import PrivateStack
from argus.v1 import authentication_service_pb2 as authentication
from argus.v1 import token_service_pb2 as tokens
from argus.v1 import types_pb2 as types

Step: TypeAlias = tuple[str, Callable[["Walk"], Awaitable[str]]]

T = TypeVar("T")

IDENTIFIER: Final = "ada@example.com"
GRANTED_SCOPE: Final = "documents.read documents.write"
OWNER: Final = types.ClientContext(
    ip_address="192.0.2.10", user_agent="Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0", tls_print="owner"
)
STRANGER: Final = types.ClientContext(
    ip_address="198.51.100.7", user_agent="curl/8.5.0", tls_print="stranger", installation_id="another-installation"
)


class DifferenceError(Exception):
    """A step did not go as it must."""


@dataclass(slots=True, kw_only=True)
class Walk:
    """The state of a walk."""

    stack: PrivateStack
    api: Api
    password: str
    user: str = ""
    session: str = ""
    access_token: str = ""
    refresh_tokens: list[str] = field(default_factory=list)

    async def sign_in(self) -> authentication.SubmitFactorResponse:
        """Signs the user in as its owner does, and keeps the tokens."""
        begun = await self.start(IDENTIFIER)
        done = await self.submit(begun.login_token, self.password)
        expect(done.login.state, authentication.LOGIN_STATE_COMPLETE, "login state")
        self.session = done.session.name
        self.access_token = done.tokens.access_token
        self.refresh_tokens = [done.tokens.refresh_token]
        return done

    async def start(self, identifier: str) -> authentication.StartLoginResponse:
        """Begins a login."""
        return await self.api.authentication.StartLogin(
            authentication.StartLoginRequest(
                parent=self.api.parent, identifier=identifier, scope=GRANTED_SCOPE, client_context=OWNER
            )
        )

    async def submit(self, login_token: str, password: str) -> authentication.SubmitFactorResponse:
        """Hands in a password."""
        return await self.api.authentication.SubmitFactor(
            authentication.SubmitFactorRequest(
                parent=self.api.parent, login_token=login_token, password=password, client_context=OWNER
            )
        )

    async def verify(self, token: str | None = None) -> tokens.VerifyAccessTokenResponse:
        """Verifies an access token, the newest by default, against the shared store."""
        return await self.api.tokens.VerifyAccessToken(
            tokens.VerifyAccessTokenRequest(
                access_token=self.access_token if token is None else token, consistency=types.CONSISTENCY_STRONG
            )
        )

    async def refresh(
        self, token: str, *, context: types.ClientContext = OWNER, scope: str = ""
    ) -> tokens.RefreshTokenResponse:
        """Presents a refresh token."""
        return await self.api.tokens.RefreshToken(
            tokens.RefreshTokenRequest(refresh_token=token, client_context=context, scope=scope)
        )


def expect(found: object, wanted: object, what: str) -> None:
    """Both must be equal.

    Raises:
        DifferenceError: They are not.
    """
    if found != wanted:
        raise DifferenceError(f"{what}: expected {wanted!r}, found {found!r}")


def expect_that(claim: bool, what: str) -> None:  # noqa: FBT001 - a claim
    """The claim must hold.

    Raises:
        DifferenceError: It does not.
    """
    if not claim:
        raise DifferenceError(f"expected {what}")


async def refused(call: Awaitable[object], reason: str, **metadata: str) -> Failure:
    """The call must be refused with the reason, and with those metadata.

    Raises:
        DifferenceError: It was not.
    """
    failure = await failure_of(call)
    if failure is None:
        raise DifferenceError(f"expected {reason}, and the call succeeded")
    expect(failure.reason, reason, f"reason ({failure.code}: {failure.message})")
    for key, value in metadata.items():
        expect(failure.metadata.get(key), value, f"metadata {key}")
    return failure


def said(failure: Failure) -> str:
    """A failure in few words, for the step's line."""
    details = ", ".join(f"{key} {value}" for key, value in sorted(failure.metadata.items()))
    return f"{failure.code} {failure.reason}" + (f" ({details})" if details else "")
