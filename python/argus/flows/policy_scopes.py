"""Holds that what a policy is set for is there.

One for a misspelt group would be in force for nobody, and one of a deleted group for the next one of its name.
"""

from argus.base.origin import Origin
from argus.clients.service import Clients
from argus.groups.service import Groups
from argus.policies.model import Scope
from argus.policies.service import Policies
from argus.storage.postgres import Transaction
from argus.users.service import Users


class PolicyScopes:
    """Looks for the clients, groups and users that policies are set for."""

    def __init__(self, clients: Clients, groups: Groups, users: Users, policies: Policies) -> None:
        self._clients = clients
        self._groups = groups
        self._users = users
        self._policies = policies

    async def check(self, tenant_id: str, scope: Scope) -> None:
        """Refuses a scope that is not there; of tenants it is known before.

        Raises:
            ClientNotFoundError: The tenant has no such client.
            GroupNotFoundError: The tenant has no such group.
            UserNotFoundError: The tenant has no such user.
        """
        match scope.kind:
            case "client":
                await self._clients.get(tenant_id, scope.id)
            case "group":
                await self._groups.get(tenant_id, scope.id)
            case "user":
                await self._users.get(tenant_id, scope.id)

    async def delete_group(self, tenant_id: str, group_id: str, *, origin: Origin) -> None:
        """Deletes a group, and takes back its policy; its members stay.

        Raises:
            GroupNotFoundError: There is none of that id.
            RequestAlreadyDoneError: The request was carried out before.
        """

        async def take_back(tx: Transaction) -> None:
            scope = Scope(kind="group", id=group_id)
            await self._policies.scopes.withdraw(tx, tenant_id, scope, reason="the group was deleted", origin=origin)

        await self._groups.delete(tenant_id, group_id, origin=origin, also=take_back)
