"""Gives services their client tokens (RFC 6749, section 4.4)."""

from collections.abc import Sequence

from argus._core import Engine
from argus.base.clock import Now
from argus.base.errors import ArgusError, UnavailableError
from argus.base.events import Event
from argus.base.origin import Origin
from argus.clients.model import (
    ACCOUNT_CLIENT,
    ACCOUNT_SCOPES,
    CallerCredentialsInvalidError,
    Client,
    ClientDisabledError,
)
from argus.clients.service import Clients
from argus.flows.grant import granted_scope
from argus.flows.snapshot import Snapshot, issue
from argus.internal.v1.engine_pb2 import IssueClientTokenInput
from argus.sessions.model import epoch_seconds
from argus.storage.postgres import Database
from argus.tenants.model import TenantDisabledError, TenantNotFoundError
from argus.tenants.service import Tenants
from argus.threats.guessing.model import GuessingThrottledError
from argus.threats.guessing.service import Guessing
from argus.v1.types_pb2 import TokenSet


class ClientTokens:
    """Client tokens for id and secret."""

    def __init__(
        self,
        db: Database,
        tenants: Tenants,
        clients: Clients,
        guessing: Guessing,
        engine: Engine,
        snapshot: Snapshot,
        *,
        now: Now,
    ) -> None:
        self._db = db
        self._tenants = tenants
        self._clients = clients
        self._guessing = guessing
        self._engine = engine
        self._snapshot = snapshot
        self._now = now

    async def issue(
        self,
        tenant_id: str,
        client_id: str,
        secret: str,
        *,
        scopes: Sequence[str],
        resource: str,
        peer: str | None,
        origin: Origin,
    ) -> TokenSet:
        """A token for the client that has this secret.

        Args:
            tenant_id: Tenant.
            client_id: Client.
            secret: Its secret, as presented.
            scopes: Asked scopes; none: all that the client has.
            resource: What the token is for; empty: Argus itself.
            peer: Address that the call comes from.
            origin: On whose behalf.

        Raises:
            GuessingThrottledError: Too many failures came before from this address.
            CallerCredentialsInvalidError: Id and secret do not fit.
            ClientDisabledError: They fit, and the client is disabled.
            TenantDisabledError: They fit, and the tenant is disabled.
            InvalidFieldError: The client does not have a scope.
            UnavailableError: A store is away.
        """
        client = await self._authenticate(tenant_id, client_id, secret, peer, origin)
        scope = granted_scope(client, scopes or client.scopes)
        tokens = await self._issue(client, scope, resource)
        event = Event(type="client.token_issued", client_id=client_id, data={"scope": scope})
        await self._db.record(origin, event, self._now())
        return tokens

    async def of_account(self, tenant_id: str) -> TokenSet:
        """A token of the built-in client, for the part of this process that calls as it. It must not leave the process.

        Raises:
            ClientDisabledError: An administrator has disabled it: browsers are not served.
            TenantDisabledError: The tenant is disabled.
            UnavailableError: A store is away.
        """
        client = await self._clients.get(tenant_id, ACCOUNT_CLIENT)
        if client.disabled:
            raise ClientDisabledError(ACCOUNT_CLIENT)
        return await self._issue(client, " ".join(ACCOUNT_SCOPES), resource="")

    async def _authenticate(
        self, tenant_id: str, client_id: str, secret: str, peer: str | None, origin: Origin
    ) -> Client:
        try:
            attempt = await self._guessing.begin_client(tenant_id, client_id, ip_address=peer)
        except GuessingThrottledError:
            await self._refused(Event(type="guessing.throttled", outcome="failure", client_id=client_id), origin)
            raise
        try:
            client = await self._clients.authenticate(tenant_id, client_id, secret)
        except CallerCredentialsInvalidError:
            await self._refused(
                Event(type="client.credentials_refused", outcome="failure", client_id=client_id), origin
            )
            raise
        except ArgusError:
            await self._guessing.undo(attempt)
            raise
        await self._guessing.succeeded(attempt)
        return client

    async def _issue_time(self, client: Client) -> int:
        """Ends count whole seconds: a token made within the second of one is dated to the second after."""
        tenant = await self._tenants.get(client.tenant_id)
        ends = [epoch_seconds(one) + 1 for one in (tenant.not_before, client.not_before) if one is not None]
        return max([epoch_seconds(self._now()), *ends])

    async def _refused(self, event: Event, origin: Origin) -> None:
        """Records a refusal, unless the tenant was made up: anybody may call, and nobody would read that audit."""
        try:
            await self._tenants.get(origin.tenant_id)
        except TenantNotFoundError:
            return
        await self._db.record(origin, event, self._now())

    async def _issue(self, client: Client, scope: str, resource: str) -> TokenSet:
        request = IssueClientTokenInput(
            tenant_id=client.tenant_id,
            client_id=client.client_id,
            scope=scope,
            resource=resource,
            now=await self._issue_time(client),
        ).SerializeToString()
        try:
            return await issue(self._engine.issue_client_token, request, self._snapshot)
        except UnavailableError:
            # The engine knows nothing of a disabled tenant.
            if (await self._tenants.get(client.tenant_id)).disabled:
                raise TenantDisabledError(client.tenant_id) from None
            raise
