"""The doors through which a token can be presented: the engine by itself, the gRPC call, and a service with the SDK."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol, Self

import grpc

from argus import _core
from argus.base.ids import new_id
from argus.base.origin import Origin
from argus.internal.v1.engine_pb2 import KeySnapshot, SnapshotKeyUse
from argus.sdk.errors import TokenRefusedError
from argus.sdk.fetch import Fetcher
from argus.sdk.jwks import RemoteKeySet
from argus.sdk.offline.verifier import OfflineVerifier
from argus.server.api import Api, Failure
from argus.tokens import store
from argus.tokens.model import KeyMaterial, KeyUse
from argus.tokens.ring import Ring
from argus.v1 import token_service_pb2 as tokens
from tests.support.carried import Target
from tests.support.engine import CLIENT, ISSUER, RESOURCE, TENANT, USER, Bench, refusal, verify_request
from tests.support.people import new_person
from tests.support.presented import claims_of
from tests.support.stack import Stack


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of a presented token.

    Attributes:
        answer: What the caller was told; None: it is good.
        fault: Class of the fault, as it was counted; "" where there was none.
        request_id: Under which the audit row is found; "" where there is no audit.
    """

    answer: object | None
    fault: str
    request_id: str = field(default="", compare=False)


class Door(Protocol):
    """A way to have a token verified."""

    async def bring(self, private_key: bytes) -> str:
        """Brings a key (PKCS #8) into the tenant, as an administrator would; it signs from now on. Its kid."""

    async def target(self, kid: str) -> Target:
        """A session whose tokens can be attacked, now."""

    async def present(self, token: str) -> Verdict:
        """Presents an access token."""


class EngineDoor:
    """The extension alone."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._session = bench.sign_in()

    async def bring(self, private_key: bytes) -> str:
        """Writes it into the snapshot; the key before goes on verifying."""
        kid = _core.public_jwk(private_key)[0]
        for key in self._bench.tenant.keys:
            key.signs = key.signs and key.use != SnapshotKeyUse.SNAPSHOT_KEY_USE_ACCESS
        self._bench.tenant.keys.append(
            KeySnapshot(
                kid=kid,
                use=SnapshotKeyUse.SNAPSHOT_KEY_USE_ACCESS,
                algorithm="RS256",
                private_key=private_key,
                signs=True,
            )
        )
        self._bench.load()
        return kid

    async def target(self, kid: str) -> Target:
        """The session that there is from the start."""
        return Target(
            now=self._bench.now,
            issuer=ISSUER,
            kid=kid,
            subject=USER,
            audience=RESOURCE,
            client_id=CLIENT,
            session_id=self._session.session_id,
            tenant_id=TENANT,
            more={"fam": 1, "acr": "urn:argus:acr:1"},
        )

    async def present(self, token: str) -> Verdict:
        """As the gRPC handler hands it over."""
        before = self._bench.engine.counters()
        kind, content = self._bench.answer("VerifyAccessToken", verify_request(token))
        if kind == 2:  # its key is not known: nobody knows it, so the second question is answered
            kind, content = self._bench.answer("VerifyAccessToken", verify_request(token))
        answer = None if kind == 0 else refusal(content)
        return Verdict(answer=answer, fault=_fault(before, self._bench.engine.counters()))


class GrpcDoor:
    """The whole server, by the RPC."""

    def __init__(self, stack: Stack, api: Api, access_token: str) -> None:
        self._stack = stack
        self._api = api
        self._claims = claims_of(access_token)

    @classmethod
    async def open(cls, stack: Stack) -> Self:
        """That of a tenant and a session of one's own."""
        api = await stack.new_tenant()
        signed_in = await (await new_person(api)).sign_in()
        return cls(stack, api, signed_in.tokens.access_token)

    async def bring(self, private_key: bytes) -> str:
        """Writes it into PostgreSQL as the next key of the tenant's ring, encrypted as every key is."""
        await import_key(self._stack, self._api.tenant_id, "access", private_key)
        return _core.public_jwk(private_key)[0]

    async def target(self, kid: str) -> Target:
        """The session that there is from the start."""
        claims = self._claims
        return Target(
            now=self._stack.private.clock.now_ms() // 1000,
            issuer=claims["iss"],
            kid=kid,
            subject=claims["sub"],
            audience=claims["aud"],
            client_id=claims["client_id"],
            session_id=claims["sid"],
            tenant_id=self._api.tenant_id,
            more={"fam": claims["fam"], "acr": claims["acr"]},
        )

    async def present(self, token: str) -> Verdict:
        """As any client of the API would."""
        engine, request_id = self._stack.argus.engine, f"v-{secrets.token_hex(8)}"
        before = engine.counters()
        request = tokens.VerifyAccessTokenRequest(access_token=token)
        answer: object | None = None
        try:
            await self._api.tokens.VerifyAccessToken(request, metadata=(("x-request-id", request_id),))
        except grpc.aio.AioRpcError as error:
            failure = Failure.of(error)
            answer = (failure.code, failure.reason, failure.message, failure.metadata, failure.field)
        return Verdict(answer=answer, fault=_fault(before, engine.counters()), request_id=request_id)

    async def audited(self) -> dict[str, str]:
        """Class of the fault by request id: the audit rows of all refusals so far."""
        await self._stack.argus.effects.flush()
        rows = await self._stack.argus.db.fetch_all(
            "SELECT request_id, reason FROM audit_events WHERE tenant_id = %s AND type = 'token.refused'",
            (self._api.tenant_id,),
        )
        return {row["request_id"]: row["reason"] for row in rows}

    async def audited_count(self, reason: str) -> int:
        """How many refusals the audit tells of, those that it only counts included; ends the minute."""
        await self._stack.advance(timedelta(seconds=61))
        await self._stack.argus.effects.flush()
        rows = await self._stack.argus.db.fetch_all(
            """SELECT data FROM audit_events WHERE tenant_id = %s AND type = 'token.refused' AND reason = %s""",
            (self._api.tenant_id, reason),
        )
        return sum(int((row["data"] or {}).get("count", 1)) for row in rows)


class SdkDoor(GrpcDoor):
    """A service that verifies by itself, for tokens of the whole server; it has the server's clock."""

    async def bring(self, private_key: bytes) -> str:
        """The service starts anew: one that goes on asks for an unknown key twice a minute and no more."""
        self._started = None
        kid = await super().bring(private_key)
        published = self._stack.argus.engine.jwks(self._api.tenant_id) or b""
        assert kid in published.decode(), f"{kid} signs and is not published: {published!r}"
        return kid

    async def present(self, token: str) -> Verdict:
        """As a guard hands it over."""
        if not token:
            return Verdict(answer="FIELD_INVALID: guards take no empty token", fault="")
        try:
            await self._verifier.verify(token)
        except TokenRefusedError as error:
            return Verdict(answer=(error.reason, str(error)), fault=error.fault)
        return Verdict(answer=None, fault="")

    _started: OfflineVerifier | None = None

    @property
    def _verifier(self) -> OfflineVerifier:
        if self._started is None:
            self._started = self._start()
        return self._started

    def _start(self) -> OfflineVerifier:
        url = f"{self._stack.server.http_url}/t/{self._api.tenant_id}/.well-known/jwks.json"
        return OfflineVerifier(
            issuer=self._claims["iss"],
            audience=self._claims["aud"],
            keys=RemoteKeySet(url, fetcher=Fetcher(allow_loopback=True)),
            now=lambda: self._stack.private.clock.now_ms() / 1000,
        )


async def import_key(stack: Stack, tenant_id: str, use: KeyUse, private_key: bytes) -> None:
    """Brings a private key into a tenant's ring, through what keeps keys; it signs from now on."""
    argus = stack.argus
    kid, jwk = _core.public_jwk(private_key)
    public = json.loads(jwk)
    material = KeyMaterial(
        use=use,
        algorithm=public["alg"],
        bits=(len(public["n"]) * 3 // 4 * 8) if "n" in public else 0,
        kid=kid,
        public_jwk=public,
        private_key=private_key,
    )
    now = argus.signing_keys._now()
    origin = Origin(tenant_id=tenant_id, actor="system:test", request_id=new_id())
    async with argus.db.transaction(origin, now=now) as tx:
        await store.lock_tenant(tx, tenant_id)
        await Ring(tx, argus.signing_keys._keks, tenant_id, use, now=now).add(material, active_time=now)
    await argus.snapshot.refresh()


def _fault(before: dict[str, int], after: dict[str, int]) -> str:
    """The class that was counted meanwhile."""
    rose = [name for name, count in after.items() if name.startswith("token_faults") and count != before.get(name)]
    return ",".join(name.removeprefix("token_faults{class=").removesuffix("}") for name in rose)
