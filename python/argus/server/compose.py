"""The composition root: hands the parts of Argus to each other, once."""

from datetime import datetime

from argus._core import Clock, Engine, Keyspace, Lease
from argus.audit.service import Audit
from argus.base import clock as clocks
from argus.base.settings import Settings
from argus.clients.service import Clients
from argus.credentials.service import Passwords
from argus.devices.postures.service import Postures
from argus.devices.service import Devices
from argus.devices.sightings import Sightings
from argus.devices.store import DeviceStore
from argus.flows.actions import Actions
from argus.flows.activity import Effects
from argus.flows.audit_upkeep import AuditUpkeep
from argus.flows.browser_sessions import BrowserSessions
from argus.flows.client_lifecycle import ClientLifecycle
from argus.flows.client_token import ClientTokens
from argus.flows.commit_sessions import SessionCommits
from argus.flows.covers import Covers
from argus.flows.create_session import CreateSession
from argus.flows.deciding import Deciding
from argus.flows.delivery import Deliveries
from argus.flows.device_states import DeviceStates
from argus.flows.factor_reset import FactorReset
from argus.flows.governing import Governing
from argus.flows.group_lifecycle import GroupLifecycle
from argus.flows.history import SessionHistory
from argus.flows.hot import HotCalls
from argus.flows.import_users import ImportUsers
from argus.flows.known_devices import KnownDevices
from argus.flows.login import Logins
from argus.flows.new_devices import CREATED, NewDevices
from argus.flows.offline_ends import OfflineEnds
from argus.flows.outbox import Outbox
from argus.flows.policy_following import PolicyFollowing
from argus.flows.policy_scopes import PolicyScopes
from argus.flows.policy_simulation import PolicySimulations
from argus.flows.policy_trials import PolicyTrials
from argus.flows.progress import Progress
from argus.flows.proofs import Proofs
from argus.flows.rebuild import Rebuild
from argus.flows.refusals import Refusals
from argus.flows.revoke import RevokeToken
from argus.flows.sign_in import SignIn
from argus.flows.standing import Standing
from argus.flows.step_up import StepUp
from argus.flows.submit_factor import SubmitFactor
from argus.flows.sweep import Sweeper
from argus.flows.tenant_lifecycle import CreateTenant, TenantLifecycle
from argus.flows.terminate import Terminate
from argus.flows.touch import TouchSessions
from argus.flows.tries import Tries
from argus.flows.unused_accounts import UnusedAccounts
from argus.flows.vouch import VouchedSessions
from argus.groups.service import Groups
from argus.networks.service import Networks
from argus.patches.service import Patches
from argus.plans.service import Plans
from argus.policies.model import default_policy
from argus.policies.service import Policies
from argus.revocations.service import Revocations
from argus.server.accounts import account_flows, mail_factors, post_office, user_lifecycle
from argus.server.factors import derived_key, make_factors
from argus.server.notifications import make_courier, make_desk, make_notifications
from argus.server.parts import Argus
from argus.server.primary import PrimaryWatch
from argus.server.self_service import make_self_service
from argus.server.snapshot import SnapshotKeeper
from argus.server.trust import make_trust
from argus.sessions.action_store import ActionStore
from argus.sessions.cover_store import CoverStore
from argus.sessions.ending_store import EndingStore
from argus.sessions.governing_store import GoverningStore
from argus.sessions.live_store import LiveSessions
from argus.sessions.login_store import LoginStore
from argus.sessions.outbox_store import OutboxStore, PendingEnds
from argus.sessions.rebuild_store import KnownSessions, LiveRecords
from argus.sessions.restore_store import RestoreStore
from argus.sessions.service import Sessions
from argus.sessions.store import SessionStore
from argus.storage.postgres import Database
from argus.storage.redis import Redis
from argus.tenants.service import Tenants
from argus.themes.service import Themes
from argus.threats.guessing.service import Guessing
from argus.threats.guessing.store import GuessingStore
from argus.tokens.kek.service import KeyEncryptionKeys
from argus.tokens.reencryption import Reencryption
from argus.tokens.secrets import InstallationSecrets
from argus.tokens.service import SigningKeys
from argus.users.service import Users


async def compose(
    settings: Settings,
    clock: Clock,
    db: Database,
    redis: Redis,
    engine: Engine,
    primary: PrimaryWatch,
    lease: Lease | None,
    keks: KeyEncryptionKeys,
    secrets: InstallationSecrets,
    revocations: Revocations,
) -> Argus:
    """Makes every part out of what is open.

    Args:
        settings: All settings.
        clock: The time that every decision is made by.
        db: PostgreSQL.
        redis: Redis.
        engine: Answers hot calls.
        primary: Watches which Redis is the one.
        lease: What may be believed of it.
        keks: Encrypts secrets at rest.
        secrets: Those of the installation.
        revocations: The stream of ends.
    """

    def now() -> datetime:
        return clocks.now(clock)

    identifier_key, mail_key = await secrets.get("identifier_hmac"), await secrets.get("mail_secrets")
    keyspace = Keyspace(await secrets.get("bucket"))

    tenants, clients = Tenants(db, now, settings.base_url), Clients(db, now, settings.base_url)
    users, groups = Users(db, now), Groups(db, now)
    passwords = Passwords(db, now, settings, secret=derived_key(identifier_key, "peers of nobody"))
    policies = Policies(db, now, default_policy(settings), PolicyScopes(clients, groups, users).check)
    plans, patches = Plans(db, now), Patches(settings.patch_path)
    # A cache on the way and the consumer behind it may each keep a key set for its whole age.
    signing_keys = SigningKeys(
        db,
        now,
        keks,
        jwks_max_age=2 * settings.key_set_max_age,
        rotation_period=settings.key_rotation_period,
        refresh_algorithm=settings.refresh_token_alg,
    )
    networks, device_secret = Networks(settings.geo_path), derived_key(identifier_key, "devices")
    devices = Devices(DeviceStore(db), secret=device_secret, now=now)
    sightings = Sightings(DeviceStore(db), secret=device_secret, now=now)
    guessing = Guessing(GuessingStore(redis), identifier_key, now=now)
    session_store, ending, outbox_store = SessionStore(db), EndingStore(db), OutboxStore(db)
    sessions = Sessions(db, session_store, policies.longest_lives, now=now)
    live = LiveSessions(redis, keyspace, now=now)
    snapshot = SnapshotKeeper(
        db,
        engine,
        tenants=tenants,
        clients=clients,
        signing_keys=signing_keys,
        policies=policies,
        plans=plans,
        secrets=secrets,
    )

    restore = RestoreStore(db, redis, keyspace)
    deliveries = Deliveries(db, session_store, ending, live, outbox_store, restore, now=now)
    effects = Effects(engine, db, ending, outbox_store, deliveries, networks, now=now)
    cover_store, records = CoverStore(redis, keyspace), LiveRecords(redis, keyspace, now=now)
    rebuild = Rebuild(db, KnownSessions(), records, cover_store, effects, rate=settings.rebuild_rate)
    offline = OfflineEnds(db, ending, live, outbox_store, PendingEnds(redis), deliveries, users, now=now)
    terminate = Terminate(
        db, session_store, ending, outbox_store, deliveries, offline, users, clients, tenants, now=now
    )
    states = DeviceStates(Postures(db, now=now), patches, now=now)
    trusting = make_trust(
        db,
        networks,
        devices=devices,
        sessions=sessions,
        session_store=session_store,
        live=live,
        policies=policies,
        terminate=terminate,
        outbox=outbox_store,
        deliveries=deliveries,
        now=now,
    )
    create_session = CreateSession(
        SessionCommits(db, session_store, ending, live, outbox_store, sightings, trusting.trust, trusting.contexts),
        live,
        outbox_store,
        rebuild,
        Deciding(db, policies, states, trusting.floors, now=now),
        signing_keys,
        engine,
        snapshot,
        networks,
        states,
        trusting.floors,
        now=now,
    )
    db.witness([CREATED], NewDevices(devices, session_store).note)  # before whoever tells of what it records
    notifications = make_notifications(settings, db, keks, plans, now=now)
    preferences = notifications.preferences
    post = post_office(settings, db, mail_key, users, plans, preferences, networks, now=now)
    kinds = make_factors(
        db,
        redis,
        keks,
        identifier_key,
        tenants=tenants,
        users=users,
        passwords=passwords,
        guessing=guessing,
        others=mail_factors(settings, post, users),
        base_url=settings.base_url,
        now=now,
    )
    logins = Logins(
        db,
        LoginStore(redis),
        kinds.factors,
        Tries(db, users, policies, guessing, trusting.changes, now=now),
        Progress(kinds.factors, policies, users, passwords, trusting.floors, now=now),
        now=now,
    )
    proofs, refusals, audit = Proofs(db, engine, now=now), Refusals(engine, now=now), Audit(db, now)
    sign_in = SignIn(db, logins, tenants, clients, users, devices, create_session, proofs, networks, policies, now=now)
    standing = Standing(db, session_store, ending, live, effects, policies, now=now)
    actions = Actions(db, ActionStore(redis), clients, standing, trusting.floors, now=now)
    step_up = StepUp(
        db,
        logins,
        clients,
        session_store,
        live,
        rebuild,
        standing,
        signing_keys,
        create_session,
        proofs,
        engine,
        snapshot,
        actions=actions,
        floors=trusting.floors,
        trust=trusting.trust,
        contexts=trusting.contexts,
        refusals=refusals,
        networks=networks,
        now=now,
    )
    client_tokens = ClientTokens(db, tenants, clients, guessing, engine, snapshot, now=now)
    governed = GoverningStore(redis, keyspace)
    governing = Governing(db, governed, session_store, policies, users, devices, networks, now=now)
    hot = HotCalls(engine, redis, rebuild, effects, snapshot, trusting.contexts, governing)
    known = KnownDevices(
        db, users, devices, states, trusting.changes, policies, session_store, audit, terminate, now=now
    )
    lifecycle = user_lifecycle(
        db, users, passwords, policies, terminate, guessing, post, notifications, [groups, devices], now=now
    )
    self_service = make_self_service(
        db, users, policies, sessions, known, passwords, kinds, audit, terminate, lifecycle, preferences, now=now
    )
    accounts = account_flows(
        db,
        post,
        tenants=tenants,
        users=users,
        passwords=passwords,
        policies=policies,
        guessing=guessing,
        lifecycle=lifecycle,
        devices=devices,
        terminate=terminate,
        notifications=notifications,
        now=now,
    )
    courier = make_courier(settings, db, notifications, audit, now=now)
    return Argus(
        settings=settings,
        clock=clock,
        db=db,
        redis=redis,
        engine=engine,
        keyspace=keyspace,
        tenants=tenants,
        themes=Themes(db, now),
        plans=plans,
        notifications=notifications,
        courier=courier,
        desk=make_desk(db, notifications, post.mails, courier, now=now),
        users=users,
        groups=groups,
        clients=clients,
        passwords=passwords,
        kinds=kinds,
        signing_keys=signing_keys,
        keks=keks,
        reencryption=Reencryption(db, now, keks),
        policies=policies,
        group_lifecycle=GroupLifecycle(groups, policies),
        policy_trials=PolicyTrials(policies, users, now=now),
        policy_simulations=PolicySimulations(db, policies, audit, session_store, users, now=now),
        policy_following=PolicyFollowing(db, governed, governing, policies.default_digest, now=now),
        audit=audit,
        sessions=sessions,
        devices=devices,
        known_devices=known,
        networks=networks,
        patches=patches,
        trusting=trusting,
        guessing=guessing,
        create_tenant=CreateTenant(db, tenants, clients, signing_keys, rsa_bits=settings.rsa_bits, now=now),
        user_lifecycle=lifecycle,
        unused_accounts=UnusedAccounts(users.unused, session_store, policies, lifecycle, now=now),
        audit_upkeep=AuditUpkeep(audit, policies, now=now),
        factor_reset=FactorReset(db, users, passwords, guessing, terminate, now=now),
        post=post,
        accounts=accounts,
        import_users=ImportUsers(db, users, groups, passwords, now=now),
        client_lifecycle=ClientLifecycle(clients, terminate),
        tenant_lifecycle=TenantLifecycle(tenants, terminate),
        logins=logins,
        sign_in=sign_in,
        step_up=step_up,
        actions=actions,
        submit_factor=SubmitFactor(logins, sign_in, step_up, sessions),
        create_session=create_session,
        vouched_sessions=VouchedSessions(
            db, tenants, clients, users, devices, sessions, create_session, proofs, now=now
        ),
        terminate=terminate,
        touch_sessions=TouchSessions(session_store, live, rebuild, policies, effects, now=now),
        history=SessionHistory(sessions, audit, policies, now=now),
        client_tokens=client_tokens,
        browser_sessions=BrowserSessions(
            engine, hot, client_tokens, terminate, refusals, snapshot, deadline=settings.request_deadline, now=now
        ),
        self_service=self_service,
        revoke_token=RevokeToken(engine, refusals, snapshot, terminate, db, now=now),
        refusals=refusals,
        hot=hot,
        rebuild=rebuild,
        covers=Covers(db, cover_store),
        sweeper=Sweeper(db, ending, live, rebuild, policies, now=now),
        effects=effects,
        outbox=Outbox(db, outbox_store, deliveries, offline, now=now),
        revocations=revocations,
        snapshot=snapshot,
        primary=primary,
        lease=lease,
        digest_key=derived_key(identifier_key, "request digests"),
    )
