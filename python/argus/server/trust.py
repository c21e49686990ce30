"""What trusts devices and sessions, made of the parts."""

from dataclasses import dataclass

from argus.base.clock import Now
from argus.contexts.store import ContextStore
from argus.devices.service import Devices
from argus.flows.contexts import Contexts
from argus.flows.delivery import Deliveries
from argus.flows.device_changes import DeviceChanges
from argus.flows.explain_trust import ExplainTrust
from argus.flows.floors import Floors
from argus.flows.terminate import Terminate
from argus.networks.service import Networks
from argus.policies.service import Policies
from argus.sessions.live_store import LiveSessions
from argus.sessions.outbox_store import OutboxStore
from argus.sessions.service import Sessions
from argus.sessions.store import SessionStore
from argus.storage.postgres import Database
from argus.trust.service import Trust
from argus.trust.store import TrustStore


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustParts:
    """Trust, and what goes by it."""

    trust: Trust
    contexts: Contexts
    floors: Floors
    changes: DeviceChanges
    explain: ExplainTrust


def make_trust(
    db: Database,
    networks: Networks,
    *,
    devices: Devices,
    sessions: Sessions,
    session_store: SessionStore,
    live: LiveSessions,
    policies: Policies,
    terminate: Terminate,
    outbox: OutboxStore,
    deliveries: Deliveries,
    now: Now,
) -> TrustParts:
    """Trust, and what goes by it; `networks` says where addresses are."""
    trust = Trust(TrustStore(db))
    return TrustParts(
        trust=trust,
        contexts=Contexts(db, ContextStore(db), session_store, live, policies, terminate, networks, now=now),
        floors=Floors(trust, policies, networks, now=now),
        changes=DeviceChanges(db, trust, session_store, outbox, deliveries, now=now),
        explain=ExplainTrust(trust, devices, sessions, policies, now=now),
    )
