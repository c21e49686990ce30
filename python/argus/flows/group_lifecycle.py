"""The end of groups and of the policies that were set for them."""

from argus.base.origin import Origin
from argus.groups.service import Groups
from argus.policies.model import Scope
from argus.policies.service import Policies
from argus.storage.postgres import Transaction


class GroupLifecycle:
    """Deletes groups, and takes back what was set for them."""

    def __init__(self, groups: Groups, policies: Policies) -> None:
        self._groups = groups
        self._policies = policies

    async def delete(self, tenant_id: str, group_id: str, *, origin: Origin) -> None:
        """Deletes a group, and takes back its policy; its members stay.

        Raises:
            GroupNotFoundError: There is none of that id.
            RequestAlreadyDoneError: The request was carried out before.
        """

        async def take_back(tx: Transaction) -> None:
            scope = Scope(kind="group", id=group_id)
            await self._policies.scopes.withdraw(tx, tenant_id, scope, reason="the group was deleted", origin=origin)

        await self._groups.delete(tenant_id, group_id, origin=origin, also=take_back)
