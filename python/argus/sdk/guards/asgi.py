"""Middleware for any ASGI framework: a request comes through with a good token, or is answered here."""

import json
import math
from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from typing import Any, Final, TypeAlias

from argus.sdk.errors import ScopeMissingError, VerificationError, VerifierUnavailableError
from argus.sdk.guards.bearer import MalformedRequestError, challenge, read_authorization
from argus.sdk.guards.current import enter, leave
from argus.sdk.model import Proof, Requirement, Verified, Verifier

__all__ = ["ArgusMiddleware"]

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

_CALLER: Final = "argus.caller"
_RETRY_SECONDS: Final = 1
# Of a web socket: the policy is broken; try again later.
_REFUSED, _AWAY = 1008, 1013


class ArgusMiddleware:
    """Verifies the token of each request (RFC 6750, RFC 9449), and answers what is not let in.

    401 where another token or a stronger proof of the user would do (RFC 6750, RFC 9470), 403 where only more rights
    would, 503 where it can't be known. The handler finds who calls by `argus.sdk.guards.current.caller()` and in
    `scope["argus.caller"]`.
    """

    def __init__(
        self,
        app: App,
        verifier: Verifier,
        *,
        requirement: Callable[[Scope], Requirement | None] = lambda _scope: Requirement(),
        realm: str = "api",
        origin: str = "",
        certificate_sha256: Callable[[Scope], bytes] = lambda _scope: b"",
    ) -> None:
        """Stands before an application.

        Args:
            app: The application.
            verifier: Says whether tokens are good.
            requirement: What a request asks of its token; None: nothing, it comes through without one (a token that is
                there is not looked at). Asked for web sockets, too.
            realm: Name of what is protected, for challenges.
            origin: Scheme and host as clients address the service, which DPoP proofs are about: `https://api.example`.
                Empty: what the request says.
            certificate_sha256: SHA-256 of the DER certificate of the client, from wherever TLS ends; b"": none.
        """
        if '"' in realm or "\\" in realm or not realm.isprintable():
            raise ValueError("the realm must not hold quotes, backslashes or control characters")
        self._app = app
        self._verifier = verifier
        self._requirement = requirement
        self._realm = realm
        self._origin = origin.rstrip("/")
        self._certificate = certificate_sha256

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        verified: Verified | None = scope.get(_CALLER)
        if (requirement := self._requirement(scope)) is not None:
            try:
                verified = await self._verify(scope, requirement)
            except VerificationError as error:
                await self._refuse(error, scope, receive, send)
                return
        # Also nobody: a server may begin a request in the context of the one before on its connection.
        token = enter(verified)
        try:
            await self._app({**scope, _CALLER: verified}, receive, send)
        finally:
            leave(token)

    async def _verify(self, scope: Scope, requirement: Requirement) -> Verified:
        headers = scope["headers"]
        presented = read_authorization(_values(headers, b"authorization"), _values(headers, b"dpop"))
        proof = Proof(
            dpop=presented.proof,
            http_method=scope.get("method", "GET"),
            http_uri=self._uri(scope) if presented.proof else "",
            certificate_sha256=self._certificate(scope),
        )
        return await self._verifier.verify(presented.token, requirement, proof=proof)

    def _uri(self, scope: Scope) -> str:
        raw: bytes = scope.get("raw_path") or scope["path"].encode()
        path = raw.partition(b"?")[0].decode("latin-1")
        if self._origin:
            return f"{self._origin}{path}"
        hosts = _values(scope["headers"], b"host")
        scheme = {"ws": "http", "wss": "https"}.get(scope["scheme"], scope["scheme"])
        return f"{scheme}://{hosts[0] if len(hosts) == 1 else ''}{path}"

    async def _refuse(self, error: VerificationError, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await receive()
            code = _AWAY if isinstance(error, VerifierUnavailableError) else _REFUSED
            await send({"type": "websocket.close", "code": code, "reason": str(error)})
            return
        status = _status(error)
        headers = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
        if said := challenge(error, realm=self._realm):
            headers.append((b"www-authenticate", said.encode("latin-1", "replace")))
        if isinstance(error, VerifierUnavailableError):
            wait = error.retry_after.total_seconds() if error.retry_after else 0.0
            headers.append((b"retry-after", str(max(_RETRY_SECONDS, math.ceil(wait))).encode()))
        body = json.dumps({"error": status.name.lower(), "error_description": _description(error)}).encode()
        headers.append((b"content-length", str(len(body)).encode()))
        await send({"type": "http.response.start", "status": int(status), "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})


def _status(error: VerificationError) -> HTTPStatus:
    if isinstance(error, VerifierUnavailableError):
        return HTTPStatus.SERVICE_UNAVAILABLE
    if isinstance(error, ScopeMissingError):
        return HTTPStatus.FORBIDDEN
    if isinstance(error, MalformedRequestError):
        return HTTPStatus.BAD_REQUEST
    return HTTPStatus.UNAUTHORIZED


def _description(error: VerificationError) -> str:
    # What an outage is about is for this service's own log.
    return "try again later" if isinstance(error, VerifierUnavailableError) else str(error)


def _values(headers: list[tuple[bytes, bytes]], name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in headers if key.lower() == name]
