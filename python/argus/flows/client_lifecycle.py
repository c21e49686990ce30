"""The end of clients and of all their sessions."""

from datetime import datetime

from argus.base import ids
from argus.base.origin import Origin
from argus.clients.service import Clients
from argus.flows.terminate import Terminate
from argus.flows.termination import Terminations, TerminationState
from argus.storage.postgres import Transaction


class ClientLifecycle:
    """Deletes clients, and ends what they began."""

    def __init__(self, clients: Clients, terminate: Terminate) -> None:
        self._clients = clients
        self._terminate = terminate

    async def delete(self, tenant_id: str, client_id: str, *, origin: Origin) -> Terminations:
        """Deletes a client; its sessions and tokens end.

        Raises:
            ClientNotFoundError: There is no such client.
            RequestAlreadyDoneError: The request was carried out before.
        """

        async def remove(tx: Transaction) -> None:
            await self._clients.delete(tx, tenant_id, client_id)

        return await self._terminate.client(
            tenant_id, client_id, origin=origin, also=remove, claim=ids.client_name(tenant_id, client_id)
        )

    async def ends_state(self, tenant_id: str, client_id: str) -> TerminationState:
        """How far the ends of an earlier request have come."""
        return await self._terminate.reached(tenant_id, client_id=client_id)

    async def terminate_sessions(
        self, tenant_id: str, client_id: str, *, comment: str = "", origin: Origin
    ) -> tuple[datetime | None, Terminations]:
        """Ends all sessions and client tokens of a client; the instant up to which they were begun.

        Raises:
            ClientNotFoundError: There is no such client.
            RequestAlreadyDoneError: The request was carried out before.
        """
        not_before: list[datetime | None] = []

        async def look(tx: Transaction) -> None:
            not_before.append((await self._clients.get(tenant_id, client_id, reader=tx)).not_before)

        ends = await self._terminate.client(
            tenant_id,
            client_id,
            comment=comment,
            origin=origin,
            also=look,
            claim=ids.client_name(tenant_id, client_id),
        )
        return not_before[0], ends
