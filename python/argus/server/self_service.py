"""What users may do for themselves, made of the parts."""

from argus.audit.service import Audit
from argus.base.clock import Now
from argus.credentials.service import Passwords
from argus.flows.known_devices import KnownDevices
from argus.flows.self.fresh_proof import FreshProof
from argus.flows.self.own_credentials import OwnCredentials
from argus.flows.self.own_devices import OwnDevices
from argus.flows.self.own_notices import OwnNotices
from argus.flows.self.own_sessions import OwnSessions
from argus.flows.self.security_events import SecurityEvents
from argus.flows.self.service import SelfService
from argus.flows.terminate import Terminate
from argus.flows.user_lifecycle import UserLifecycle
from argus.notifications.preferences.service import Preferences
from argus.policies.service import Policies
from argus.server.factors import FactorKinds
from argus.sessions.proof_store import UsedProofs
from argus.sessions.service import Sessions
from argus.storage.postgres import Database
from argus.users.service import Users


def make_self_service(
    db: Database,
    users: Users,
    policies: Policies,
    sessions: Sessions,
    devices: KnownDevices,
    passwords: Passwords,
    kinds: FactorKinds,
    audit: Audit,
    terminate: Terminate,
    lifecycle: UserLifecycle,
    preferences: Preferences,
    *,
    now: Now,
) -> SelfService:
    """Hands the parts to each other."""
    own_sessions = OwnSessions(sessions, terminate)
    fresh_proof = FreshProof(kinds.factors, users, policies, UsedProofs(db), now=now)
    return SelfService(
        users=users,
        sessions=own_sessions,
        devices=OwnDevices(devices, sessions),
        events=SecurityEvents(audit, own_sessions, devices),
        credentials=OwnCredentials(
            db,
            users,
            policies,
            passwords,
            kinds.recovery_codes,
            kinds.factors,
            kinds.changes,
            kinds.passkey_changes,
            lifecycle,
            terminate,
            fresh_proof,
            now=now,
        ),
        notices=OwnNotices(preferences, fresh_proof),
    )
