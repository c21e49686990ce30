"""Says how far a device or session is trusted, and why."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from argus.base.clock import Now
from argus.devices.model import DeviceNotFoundError
from argus.devices.service import Devices
from argus.policies.service import Policies
from argus.sessions.errors import SessionNotActiveError
from argus.sessions.service import Sessions
from argus.trust.model import NO_SIGNAL_TRUST, Floor, Rating, floors, whole
from argus.trust.service import Trust


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """A rating, for which moment it is, and the floors that a session is below."""

    rating: Rating
    time: datetime
    missed: Sequence[Floor] = ()


class ExplainTrust:
    """Explains trust."""

    def __init__(self, trust: Trust, devices: Devices, sessions: Sessions, policies: Policies, *, now: Now) -> None:
        self._trust = trust
        self._devices = devices
        self._sessions = sessions
        self._policies = policies
        self._now = now

    async def device(self, tenant_id: str, user_id: str, device_id: str) -> Explained:
        """Of a device.

        Raises:
            DeviceNotFoundError: The user has no such device.
        """
        device = await self._devices.find(tenant_id, device_id)
        if device is None or device.user_id != user_id:
            raise DeviceNotFoundError(device_id)
        now = self._now()
        known = await self._trust.of_device(tenant_id, device_id, now=now)
        return Explained(rating=known.rating(now=now), time=now)

    async def session(self, tenant_id: str, user_id: str, session_id: str) -> Explained:
        """Of a session, and the floors that it is below.

        Raises:
            SessionNotFoundError: The user has no such session.
            SessionNotActiveError: It has ended.
        """
        session = await self._sessions.get(tenant_id, user_id, session_id)
        if session.has_ended:
            raise SessionNotActiveError(session_id)
        now = self._now()
        known = await self._trust.of_device(tenant_id, session.device_id, now=now)
        rated = NO_SIGNAL_TRUST if session.trust is None else session.trust
        rating = known.session_rating(risk=session.risk, proof_time=session.auth_time, now=now, rated=rated)
        policy = await self._policies.held(tenant_id, session.policy_revision, session.client_id)
        found = floors(policy, scopes=session.scope.split())
        score = whole(rating.score)
        missed = [floor for floor in found if score < max(floor.step_up_below, floor.deny_below)]
        return Explained(rating=rating, time=now, missed=missed)
