"""Steps-up for one action: proved for it alone, and spent by whoever carries it out."""

from argus.base.clock import Now
from argus.base.events import Event
from argus.base.ids import new_secret, sha256
from argus.base.origin import Origin
from argus.clients.service import Clients
from argus.flows.floors import Floors
from argus.flows.standing import Standing
from argus.sessions.action_store import ACTION_LIFE, ActionGrant, ActionStore, ActionTokenInvalidError
from argus.sessions.login_store import Login
from argus.sessions.model import Session
from argus.storage.postgres import Database


class Actions:
    """One-use tokens of steps-up."""

    def __init__(
        self, db: Database, store: ActionStore, clients: Clients, standing: Standing, floors: Floors, *, now: Now
    ) -> None:
        self._floors = floors
        self._db = db
        self._store = store
        self._clients = clients
        self._standing = standing
        self._now = now

    async def issue(self, login: Login, stepped: Session) -> str:
        """A token for the action that a step-up was for; "" if it was for none."""
        if not login.action_sha256:
            return ""
        secret = new_secret()
        grant = ActionGrant(
            tenant_id=stepped.tenant_id,
            user_id=stepped.user_id,
            session_id=stepped.session_id,
            client_id=stepped.client_id,
            action_sha256=login.action_sha256,
            resource=login.action_resource,
            acr=stepped.acr,
            amr=list(stepped.amr),
            auth_time=stepped.auth_time.timestamp(),
            expire_time=(self._now() + ACTION_LIFE).timestamp(),
        )
        await self._store.add(sha256(secret).hex(), grant)
        return secret

    async def spend(
        self,
        session: tuple[str, str, str],
        action_token: str,
        action: str,
        *,
        resource: str,
        caller_id: str,
        origin: Origin,
    ) -> ActionGrant:
        """Takes a token for the very action that its user has proved itself for; one that is refused is not spent.

        Args:
            session: Tenant, user and session on whose behalf the action is asked for.
            action_token: The token, as presented.
            action: What is to be done, by the very text that the step-up was begun with.
            resource: Who carries it out; empty: the caller's registered resource.
            caller_id: Client that presents it.
            origin: The request.

        Raises:
            ActionTokenInvalidError: It is unknown, spent or expired, or of another action, resource or session.
            TokenInvalidError: There is no such session.
            SessionEndedError: The session is over.
            TrustTooLowError: The session is below the action's floor of trust that denies.
            TrustStepUpError: It is below the action's floor, and its user proved one factor alone.
            UnavailableError: A store is away; the token is not spent.
        """
        tenant_id, token_sha256 = session[0], sha256(action_token).hex()
        resource = resource or (await self._clients.get(tenant_id, caller_id)).resource
        grant = await self._store.get(tenant_id, token_sha256, now=self._now())
        fault = _fault(grant, session, sha256(action).hex(), resource)
        if grant is not None and not fault:
            await self._floors.check_action((await self._standing.check(*session)).session, action)
            fault = "" if await self._store.spend(tenant_id, token_sha256) else "spent"
        event = Event(
            type="action.refused" if fault else "action.confirmed",
            outcome="failure" if fault else "success",
            reason=fault or None,
            user_id=session[1],
            session_id=session[2],
            client_id=caller_id,
            data={"action_sha256": sha256(action).hex()},
        )
        await self._db.record(origin, event, self._now())
        if grant is None or fault:
            raise ActionTokenInvalidError
        return grant


def _fault(grant: ActionGrant | None, session: tuple[str, str, str], action_sha256: str, resource: str) -> str:
    """Class of what is wrong, for the audit; "" if nothing is."""
    if grant is None:
        return "unknown"
    if (grant.tenant_id, grant.user_id, grant.session_id) != session:
        return "session"
    if grant.action_sha256 != action_sha256:
        return "action"
    return "" if grant.resource == resource else "resource"
