"""The composition root: makes every part of Argus out of the settings, once, and hands them to each other."""

import hashlib
import hmac
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import structlog

from argus._core import Clock, Engine, Keyspace, Lease
from argus.audit.service import Audit
from argus.base import clock as clocks
from argus.base.errors import UnavailableError
from argus.base.settings import Settings
from argus.clients.service import Clients
from argus.credentials.service import Passwords
from argus.devices.service import Devices
from argus.devices.store import DeviceStore
from argus.flows.activity import Effects
from argus.flows.client_lifecycle import ClientLifecycle
from argus.flows.client_token import ClientTokens
from argus.flows.covers import Covers
from argus.flows.create_session import CreateSession
from argus.flows.delivery import Deliveries
from argus.flows.hot import HotCalls
from argus.flows.login import Logins
from argus.flows.offline_ends import OfflineEnds
from argus.flows.outbox import Outbox
from argus.flows.proofs import Proofs
from argus.flows.rebuild import Rebuild
from argus.flows.revoke import RevokeToken
from argus.flows.sign_in import SignIn
from argus.flows.standing import Standing
from argus.flows.step_up import StepUp
from argus.flows.submit_factor import SubmitFactor
from argus.flows.sweep import Sweeper
from argus.flows.tenant_lifecycle import CreateTenant, TenantLifecycle
from argus.flows.terminate import Terminate
from argus.flows.touch import TouchSessions
from argus.flows.user_lifecycle import UserLifecycle
from argus.flows.vouch import VouchedSessions
from argus.groups.service import Groups
from argus.policies.model import default_policy
from argus.policies.service import Policies
from argus.server.key_encryption import key_encryption_keys
from argus.server.primary import PrimaryKeeper, PrimaryWatch, StandaloneWatch, watching
from argus.server.snapshot import SnapshotKeeper
from argus.sessions.cover_store import CoverStore
from argus.sessions.ending_store import EndingStore
from argus.sessions.live_store import LiveSessions
from argus.sessions.login_store import LoginStore
from argus.sessions.outbox_store import OutboxStore, PendingEnds
from argus.sessions.rebuild_store import KnownSessions, LiveRecords
from argus.sessions.restore_store import RestoreStore
from argus.sessions.service import Sessions
from argus.sessions.store import SessionStore
from argus.storage.postgres import Database
from argus.storage.primaries import Primaries
from argus.storage.redis import Redis
from argus.tenants.service import Tenants
from argus.threats.guessing.service import Guessing
from argus.threats.guessing.store import GuessingStore
from argus.tokens.kek.service import KeyEncryptionKeys
from argus.tokens.reencryption import Reencryption
from argus.tokens.secrets import InstallationSecrets
from argus.tokens.service import SigningKeys
from argus.users.service import Users

log = structlog.get_logger(__name__)

# Longest that PostgreSQL may take to confirm the primary.
_LEASE_PATIENCE: Final = timedelta(seconds=4)


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
    users: Users
    groups: Groups
    clients: Clients
    passwords: Passwords
    signing_keys: SigningKeys
    keks: KeyEncryptionKeys
    reencryption: Reencryption
    policies: Policies
    audit: Audit
    sessions: Sessions
    devices: Devices
    guessing: Guessing
    create_tenant: CreateTenant
    user_lifecycle: UserLifecycle
    client_lifecycle: ClientLifecycle
    tenant_lifecycle: TenantLifecycle
    logins: Logins
    sign_in: SignIn
    step_up: StepUp
    submit_factor: SubmitFactor
    create_session: CreateSession
    vouched_sessions: VouchedSessions
    terminate: Terminate
    touch_sessions: TouchSessions
    client_tokens: ClientTokens
    revoke_token: RevokeToken
    hot: HotCalls
    rebuild: Rebuild
    covers: Covers
    sweeper: Sweeper
    effects: Effects
    outbox: Outbox
    snapshot: SnapshotKeeper
    primary: PrimaryWatch
    lease: Lease | None
    """What may be believed of Redis; None without Sentinel: whatever it says, there is only the one."""
    digest_key: bytes = field(repr=False)
    """Key of request digests; the same in every process of an installation."""


@asynccontextmanager
async def open_argus(settings: Settings, *, clock: Clock) -> AsyncIterator[Argus]:
    """Opens the stores, loads keys and functions, and makes every part.

    Args:
        settings: All settings; `check_servable` has been called where they came from outside.
        clock: The time that every decision is made by.

    Raises:
        UnavailableError: A store is away.
        UnreadableSecretError: The database was made with another key-encryption key, or something in it is damaged.
        KeyEncryptionUnavailableError: The provider of key-encryption keys is away, or refuses.
    """
    async with AsyncExitStack() as stack:
        db = await stack.enter_async_context(
            Database.open(
                settings.database_url.get_secret_value(),
                max_size=settings.database_pool,
                timeout=settings.database_timeout,
            )
        )
        lease = Lease() if settings.redis is not None and settings.redis.service else None
        redis = Redis(
            settings.redis_url.get_secret_value(),
            clock=clock,
            ca_file=settings.redis_ca_file,
            timeout=settings.redis_timeout,
            lease=lease,
        )
        stack.push_async_callback(redis.close)
        keks = key_encryption_keys(settings, db, lambda: clocks.now(clock))
        await keks.ensure()
        secrets = InstallationSecrets(db, lambda: clocks.now(clock), keks)
        await secrets.ensure()
        engine = _engine(settings, clock, lease)
        stack.callback(engine.close)
        primary = await stack.enter_async_context(_primary(settings, clock, redis, engine, lease))
        argus = await _compose(settings, clock, db, redis, engine, primary, lease, keks, secrets)
        stack.callback(argus.hot.close)
        stack.callback(argus.passwords.close)
        await argus.redis.load_functions()
        await argus.snapshot.refresh()
        try:
            yield argus
        finally:
            await _flush(argus.effects)


async def _flush(effects: Effects) -> None:
    """Writes what hot calls did in the last moment; what can't be written now is bounds, activity and events."""
    try:
        await effects.finish()
    except UnavailableError as error:
        log.warning("effects.lost", count=effects.queued, component=error.component)


@asynccontextmanager
async def _primary(
    settings: Settings, clock: Clock, redis: Redis, engine: Engine, lease: Lease | None
) -> AsyncIterator[PrimaryWatch]:
    """Watches the primary for as long as the stores are open: commands of a minute need the lease as well."""
    if lease is None:
        async with watching(StandaloneWatch(redis)) as watch:
            yield watch
        return
    # Connections of its own: a lease must not run out because all others are busy.
    async with Database.open(settings.database_url.get_secret_value(), max_size=2, timeout=_LEASE_PATIENCE) as db:
        primaries = Primaries(db, redis.url.service)
        keeper = PrimaryKeeper(redis, engine, lease, primaries, now=lambda: clocks.now(clock))
        async with watching(keeper) as watch:
            yield watch


def _engine(settings: Settings, clock: Clock, lease: Lease | None) -> Engine:
    return Engine(
        redis_url=settings.redis_url.get_secret_value() if lease is None else None,
        clock=clock,
        redis_timeout_ms=settings.redis_timeout // timedelta(milliseconds=1),
        effect_capacity=settings.effect_capacity,
        redis_ca_pem=settings.redis_ca_file.read_bytes() if settings.redis_ca_file else None,
        lease=lease,
    )


async def _compose(
    settings: Settings,
    clock: Clock,
    db: Database,
    redis: Redis,
    engine: Engine,
    primary: PrimaryWatch,
    lease: Lease | None,
    keks: KeyEncryptionKeys,
    secrets: InstallationSecrets,
) -> Argus:
    def now() -> datetime:
        return clocks.now(clock)

    identifier_key = await secrets.get("identifier_hmac")
    keyspace = Keyspace(await secrets.get("bucket"))

    tenants = Tenants(db, now, settings.base_url)
    users, groups = Users(db, now), Groups(db, now)
    clients = Clients(db, now, settings.base_url)
    passwords = Passwords(db, now, settings)
    policies = Policies(db, now, default_policy(settings))
    # A cache on the way and the consumer behind it may each keep a key set for its whole age.
    signing_keys = SigningKeys(
        db,
        now,
        keks,
        jwks_max_age=2 * settings.key_set_max_age,
        rotation_period=settings.key_rotation_period,
        refresh_algorithm=settings.refresh_token_alg,
    )
    devices = Devices(DeviceStore(db), now=now)
    guessing = Guessing(GuessingStore(redis), identifier_key, now=now)
    session_store, ending, outbox_store = SessionStore(db), EndingStore(db), OutboxStore(db)
    sessions = Sessions(db, session_store, now=now)
    live = LiveSessions(redis, keyspace, now=now)
    snapshot = SnapshotKeeper(
        db,
        engine,
        tenants=tenants,
        clients=clients,
        signing_keys=signing_keys,
        policies=policies,
        secrets=secrets,
    )

    restore = RestoreStore(db, redis, keyspace)
    deliveries = Deliveries(db, session_store, ending, live, outbox_store, restore, now=now)
    effects = Effects(engine, db, ending, outbox_store, deliveries, now=now)
    cover_store = CoverStore(redis, keyspace)
    records = LiveRecords(redis, keyspace, now=now)
    rebuild = Rebuild(db, KnownSessions(), records, cover_store, effects, rate=settings.rebuild_rate)
    offline = OfflineEnds(db, ending, live, outbox_store, PendingEnds(redis), deliveries, users, now=now)
    terminate = Terminate(
        db, session_store, ending, outbox_store, deliveries, offline, users, clients, tenants, now=now
    )
    create_session = CreateSession(
        db,
        session_store,
        ending,
        live,
        outbox_store,
        rebuild,
        devices,
        policies,
        signing_keys,
        engine,
        snapshot,
        now=now,
    )
    logins = Logins(db, LoginStore(redis), users, passwords, guessing, now=now)
    proofs = Proofs(db, engine, now=now)
    sign_in = SignIn(db, logins, tenants, clients, users, devices, create_session, proofs, now=now)
    step_up = StepUp(
        db,
        logins,
        clients,
        session_store,
        live,
        rebuild,
        Standing(db, session_store, ending, live, effects, policies, now=now),
        signing_keys,
        create_session,
        proofs,
        engine,
        snapshot,
        now=now,
    )
    return Argus(
        settings=settings,
        clock=clock,
        db=db,
        redis=redis,
        engine=engine,
        keyspace=keyspace,
        tenants=tenants,
        users=users,
        groups=groups,
        clients=clients,
        passwords=passwords,
        signing_keys=signing_keys,
        keks=keks,
        reencryption=Reencryption(db, now, keks),
        policies=policies,
        audit=Audit(db, now),
        sessions=sessions,
        devices=devices,
        guessing=guessing,
        create_tenant=CreateTenant(db, tenants, signing_keys, rsa_bits=settings.rsa_bits, now=now),
        user_lifecycle=UserLifecycle(users, groups, passwords, policies, terminate, guessing),
        client_lifecycle=ClientLifecycle(clients, terminate),
        tenant_lifecycle=TenantLifecycle(tenants, terminate),
        logins=logins,
        sign_in=sign_in,
        step_up=step_up,
        submit_factor=SubmitFactor(logins, sign_in, step_up),
        create_session=create_session,
        vouched_sessions=VouchedSessions(
            db, tenants, clients, users, devices, sessions, create_session, proofs, now=now
        ),
        terminate=terminate,
        touch_sessions=TouchSessions(session_store, live, rebuild, policies, effects, now=now),
        client_tokens=ClientTokens(db, tenants, clients, guessing, engine, snapshot, now=now),
        revoke_token=RevokeToken(engine, terminate, db, now=now),
        hot=HotCalls(engine, redis, rebuild, effects, snapshot),
        rebuild=rebuild,
        covers=Covers(db, cover_store),
        sweeper=Sweeper(db, ending, live, rebuild, policies, now=now),
        effects=effects,
        outbox=Outbox(db, outbox_store, deliveries, offline, now=now),
        snapshot=snapshot,
        primary=primary,
        lease=lease,
        digest_key=hmac.new(identifier_key, b"request digests", hashlib.sha256).digest(),
    )
