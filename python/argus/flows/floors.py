"""What policies ask of trust and place when a session begins or an action is asked for.

Refresh and verify are held to the same floors by the engine, out of the session's record.
"""

from typing import Final

from argus.base.clock import Now
from argus.base.errors import ArgusError, Code
from argus.base.place import Place
from argus.base.policy import Policy
from argus.contexts.model import check_place
from argus.flows.creations import NewSession, signed_in
from argus.networks.service import Networks
from argus.policies.service import Policies
from argus.sessions.login_store import Login
from argus.sessions.model import ACR_PREFIX, Session
from argus.trust.model import SignedIn, aged, check_deny, floors, step_up_floor, whole
from argus.trust.service import Trust
from argus.v1.errors_pb2 import ErrorReason

# Two factors stand for what a device lacks.
_STEP_UP_ACR: Final = 2


class Floors:
    """Floors of trust, and places that nobody may sign in from."""

    def __init__(self, trust: Trust, policies: Policies, networks: Networks, *, now: Now) -> None:
        self._trust = trust
        self._policies = policies
        self._networks = networks
        self._now = now

    async def check_begin(self, new: NewSession, policy: Policy, place: Place) -> None:
        """Lets a session begin, or not, by the trust that it would begin with.

        Raises:
            PlaceDeniedError: Nobody may sign in from there.
            TrustTooLowError: It would be below a floor that denies.
            TrustStepUpError: It would be below a floor, and the user proved one factor alone.
        """
        check_place(policy, new.ip_address, place)
        await self.check_trust(new, policy, place)

    async def check_trust(self, new: NewSession, policy: Policy, place: Place) -> None:
        """Lets a session begin, or not, by trust alone.

        Raises:
            TrustTooLowError: It would be below a floor that denies.
            TrustStepUpError: It would be below a floor, and the user proved one factor alone.
        """
        found = floors(policy, scopes=new.scope.split())
        if not found:
            return
        tenant_id, now = new.user.tenant_id, self._now()
        before = await self._trust.of_device(tenant_id, new.device.device_id if new.device else None, now=now)
        rated = before.signed_in(signed_in(new, place), now=now).rating(now=now).score
        score = aged(rated, proof_time=new.auth_time, now=now)
        check_deny(found, score, restored=rated)
        floor = step_up_floor(found, score)
        if floor and new.acr < _STEP_UP_ACR:
            raise TrustStepUpError(whole(score), floor)

    async def wanted_acr(self, login: Login, policy: Policy, ip_address: str | None) -> int:
        """The level that the floors ask of a sign-in, so that it is asked for while there is a login; 0: none."""
        found = floors(policy, scopes=login.scope.split())
        if login.is_step_up or not found:
            return 0
        now = self._now()
        before = await self._trust.of_device(login.tenant_id, login.device_id, now=now)
        expected = SignedIn(
            is_known=login.device_id is not None,
            shown="token" if login.device_id else "",
            binding=before.key_print or None,  # whether it is shown is seen once the session begins
            client_id=login.client_id,
            acr=1,
            place=self._networks.look_up(ip_address),
        )
        score = before.signed_in(expected, now=now).rating(now=now).score
        return _STEP_UP_ACR if step_up_floor(found, score) else 0

    async def step_up_acr(self, session: Session, action: str) -> int:
        """The level that a step-up of a session must reach for its floors, and for those of an action; 0: any.

        Raises:
            TrustTooLowError: The action has a floor that denies, and no step-up would mend it.
        """
        policy = await self._in_force(session)
        restored = await self._restored(session)
        if action:
            check_deny(floors(policy, action=action), restored, restored=restored)
        found = floors(policy, scopes=session.scope.split(), action=action)
        return _STEP_UP_ACR if step_up_floor(found, restored) else 0

    async def check_action(self, session: Session, action: str) -> None:
        """Lets an action be carried out, for which the user has proved itself, or not.

        Raises:
            TrustTooLowError: The session is below a floor that denies.
            TrustStepUpError: It is below a floor, and the user proved one factor alone.
        """
        found = floors(await self._in_force(session), action=action)
        restored = await self._restored(session)
        score = aged(restored, proof_time=session.auth_time, now=self._now())
        check_deny(found, score, restored=restored)
        floor = step_up_floor(found, score)
        if floor and session.acr < _STEP_UP_ACR:
            raise TrustStepUpError(whole(score), floor)

    async def _restored(self, session: Session) -> float:
        """Trust that a step-up would restore: what the device has now, and the risk leaves."""
        now = self._now()
        device = await self._trust.of_device(session.tenant_id, session.device_id, now=now)
        return device.session_rating(risk=session.risk, proof_time=now, now=now).score

    async def _in_force(self, session: Session) -> Policy:
        return await self._policies.held(session.tenant_id, session.policy_revision, session.client_id)


class TrustStepUpError(ArgusError):
    """The session is trusted less than a step-up is asked for, and its user proved one factor alone."""

    def __init__(self, score: int, floor: int) -> None:
        super().__init__(
            Code.UNAUTHENTICATED,
            ErrorReason.ERROR_REASON_STEP_UP_REQUIRED,
            f"it is trusted by {score} of 100, and the policy asks for {floor}; let the user prove a second factor",
            cause="TRUST",
            acrValues=f"{ACR_PREFIX}{_STEP_UP_ACR}",
            score=score,
            floor=floor,
        )
