"""All parts of a running Argus, by name."""

from dataclasses import dataclass, field

from argus._core import Clock, Engine, Keyspace, Lease
from argus.audit.service import Audit
from argus.base.settings import Settings
from argus.clients.service import Clients
from argus.credentials.service import Passwords
from argus.devices.service import Devices
from argus.flows.actions import Actions
from argus.flows.activity import Effects
from argus.flows.audit_upkeep import AuditUpkeep
from argus.flows.browser_sessions import BrowserSessions
from argus.flows.client_lifecycle import ClientLifecycle
from argus.flows.client_token import ClientTokens
from argus.flows.covers import Covers
from argus.flows.create_session import CreateSession
from argus.flows.factor_reset import FactorReset
from argus.flows.group_lifecycle import GroupLifecycle
from argus.flows.history import SessionHistory
from argus.flows.hot import HotCalls
from argus.flows.import_users import ImportUsers
from argus.flows.known_devices import KnownDevices
from argus.flows.login import Logins
from argus.flows.notifying.courier import Courier
from argus.flows.notifying.desk import NotificationDesk
from argus.flows.outbox import Outbox
from argus.flows.policy_following import PolicyFollowing
from argus.flows.policy_simulation import PolicySimulations
from argus.flows.policy_trials import PolicyTrials
from argus.flows.rebuild import Rebuild
from argus.flows.refusals import Refusals
from argus.flows.revoke import RevokeToken
from argus.flows.self.service import SelfService
from argus.flows.sign_in import SignIn
from argus.flows.step_up import StepUp
from argus.flows.submit_factor import SubmitFactor
from argus.flows.sweep import Sweeper
from argus.flows.tenant_lifecycle import CreateTenant, TenantLifecycle
from argus.flows.terminate import Terminate
from argus.flows.touch import TouchSessions
from argus.flows.unused_accounts import UnusedAccounts
from argus.flows.user_lifecycle import UserLifecycle
from argus.flows.vouch import VouchedSessions
from argus.groups.service import Groups
from argus.networks.service import Networks
from argus.patches.service import Patches
from argus.plans.service import Plans
from argus.policies.service import Policies
from argus.revocations.service import Revocations
from argus.server.accounts import Accounts, PostOffice
from argus.server.factors import FactorKinds
from argus.server.notifications import Notifications
from argus.server.primary import PrimaryWatch
from argus.server.snapshot import SnapshotKeeper
from argus.server.trust import TrustParts
from argus.sessions.service import Sessions
from argus.storage.postgres import Database
from argus.storage.redis import Redis
from argus.tenants.service import Tenants
from argus.themes.service import Themes
from argus.threats.guessing.service import Guessing
from argus.tokens.kek.service import KeyEncryptionKeys
from argus.tokens.reencryption import Reencryption
from argus.tokens.service import SigningKeys
from argus.users.service import Users


@dataclass(frozen=True, slots=True, kw_only=True)
class Argus:
    """Every part, ready to be used."""

    settings: Settings
    clock: Clock
    db: Database
    redis: Redis
    engine: Engine
    keyspace: Keyspace
    tenants: Tenants
    themes: Themes
    plans: Plans
    notifications: Notifications
    courier: Courier
    desk: NotificationDesk
    users: Users
    groups: Groups
    clients: Clients
    passwords: Passwords
    kinds: FactorKinds
    signing_keys: SigningKeys
    keks: KeyEncryptionKeys
    reencryption: Reencryption
    policies: Policies
    group_lifecycle: GroupLifecycle
    policy_trials: PolicyTrials
    policy_simulations: PolicySimulations
    policy_following: PolicyFollowing
    audit: Audit
    sessions: Sessions
    devices: Devices
    known_devices: KnownDevices
    networks: Networks
    patches: Patches
    trusting: TrustParts
    guessing: Guessing
    create_tenant: CreateTenant
    user_lifecycle: UserLifecycle
    unused_accounts: UnusedAccounts
    audit_upkeep: AuditUpkeep
    factor_reset: FactorReset
    post: PostOffice
    accounts: Accounts
    import_users: ImportUsers
    client_lifecycle: ClientLifecycle
    tenant_lifecycle: TenantLifecycle
    logins: Logins
    sign_in: SignIn
    step_up: StepUp
    actions: Actions
    submit_factor: SubmitFactor
    create_session: CreateSession
    vouched_sessions: VouchedSessions
    terminate: Terminate
    touch_sessions: TouchSessions
    history: SessionHistory
    client_tokens: ClientTokens
    browser_sessions: BrowserSessions
    self_service: SelfService
    revoke_token: RevokeToken
    refusals: Refusals
    hot: HotCalls
    rebuild: Rebuild
    covers: Covers
    sweeper: Sweeper
    effects: Effects
    outbox: Outbox
    revocations: Revocations
    snapshot: SnapshotKeeper
    primary: PrimaryWatch
    lease: Lease | None
    """What may be believed of Redis; None without Sentinel: whatever it says, there is only the one."""
    digest_key: bytes = field(repr=False)
    """Key of request digests; the same in every process of an installation."""
