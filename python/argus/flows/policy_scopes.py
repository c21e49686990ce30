"""Holds that what a policy is set for is there.

One for a misspelt group would be in force for nobody, and one of a deleted group for the next one of its name.
"""

from argus.clients.service import Clients
from argus.groups.service import Groups
from argus.policies.model import Scope
from argus.storage.postgres import Transaction
from argus.users.service import Users


class PolicyScopes:
    """Looks for the clients, groups and users that policies are set for."""

    def __init__(self, clients: Clients, groups: Groups, users: Users) -> None:
        self._clients = clients
        self._groups = groups
        self._users = users

    async def check(self, tenant_id: str, scope: Scope, reader: Transaction | None = None) -> None:
        """Refuses a scope that is not there, as `reader` sees it if one is given; of tenants it is known before.

        Raises:
            ClientNotFoundError: The tenant has no such client.
            GroupNotFoundError: The tenant has no such group.
            UserNotFoundError: The tenant has no such user.
        """
        match scope.kind:
            case "client":
                await self._clients.get(tenant_id, scope.id, reader=reader)
            case "group":
                await self._groups.get(tenant_id, scope.id, reader=reader)
            case "user":
                await self._users.get(tenant_id, scope.id, reader=reader)
