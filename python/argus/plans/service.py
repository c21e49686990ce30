"""What can be done with plans."""

from collections.abc import Iterable, Mapping

from argus.base.clock import Now
from argus.base.events import Event
from argus.base.ids import tenant_name
from argus.base.origin import Origin
from argus.plans import store
from argus.plans.model import Subscription, check_subscription
from argus.storage.postgres import Database

_ALL = Subscription()


class Plans:
    """The plans of all tenants.

    Answers come from memory: `server.snapshot` reads all plans whenever the configuration changes, so a change is
    known to every process within a second, and no call asks PostgreSQL.
    """

    def __init__(self, db: Database, now: Now) -> None:
        self._db = db
        self._now = now
        self._known: Mapping[str, Subscription] = {}

    async def read(self, tenant_ids: Iterable[str]) -> Mapping[str, Subscription]:
        """What these tenants have bought, as PostgreSQL says."""
        found = await store.every(self._db)
        return {tenant_id: found.get(tenant_id, _ALL) for tenant_id in tenant_ids}

    def learn(self, known: Mapping[str, Subscription]) -> None:
        """Answers by these from now on."""
        self._known = known

    async def of(self, tenant_id: str) -> Subscription:
        """What a tenant has bought; looked up only for a tenant that is not known yet.

        Raises:
            UnavailableError: PostgreSQL is away, and the tenant is not known.
        """
        known = self._known.get(tenant_id)
        return known if known is not None else await store.find(self._db, tenant_id) or _ALL

    async def set(self, tenant_id: str, subscription: Subscription, *, origin: Origin) -> Subscription:
        """Gives a tenant another plan. Nothing of what it has is deleted: what is not sold is not shown.

        Raises:
            InvalidFieldError: It can't be bought so.
            RequestAlreadyDoneError: The request was carried out before.
        """
        check_subscription(subscription)
        now = self._now()
        async with self._db.transaction(origin, now=now) as tx:
            await tx.claim(tenant_name(tenant_id), now=now)
            await store.write(tx, tenant_id, subscription)
            data = {"tenant": tenant_id, "plan": subscription.plan, "add_ons": " ".join(sorted(subscription.add_ons))}
            tx.record(Event(type="tenant.plan_changed", data=data), time=now)
        if not origin.validate_only:
            self._known = {**self._known, tenant_id: subscription}
        return subscription
