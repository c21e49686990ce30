"""The engine: how it is opened, and how its last words are written."""

import asyncio
from datetime import timedelta
from typing import Final

import structlog

from argus._core import Clock, Engine, Lease
from argus.base.errors import UnavailableError
from argus.base.settings import Settings
from argus.flows.activity import Effects

_MILLISECOND: Final = timedelta(milliseconds=1)
_MIB: Final = 1 << 20
_log = structlog.get_logger(__name__)


def open_engine(settings: Settings, clock: Clock, lease: Lease | None) -> Engine:
    """An engine over the Redis of the settings.

    Args:
        settings: All settings.
        clock: What decisions go by.
        lease: What may be believed of Redis; with it, the primary is said later.
    """
    return Engine(
        redis_url=settings.redis_url.get_secret_value() if lease is None else None,
        clock=clock,
        redis_timeout_ms=settings.redis_timeout // _MILLISECOND,
        effect_capacity=settings.effect_capacity,
        redis_ca_pem=settings.redis_ca_file.read_bytes() if settings.redis_ca_file else None,
        lease=lease,
        caller_cache=settings.caller_cache_mib * _MIB,
        signature_cache=settings.signature_cache_mib * _MIB,
        state_cache=settings.state_cache_mib * _MIB,
        activity_queue=settings.activity_queue,
        quotas=(settings.caller_quota, settings.tenant_quota),
    )


async def finish(settings: Settings, engine: Engine, effects: Effects) -> None:
    """Writes what hot calls did in the last moment: uses of sessions to Redis, then all effects to PostgreSQL.

    Args:
        settings: All settings.
        engine: Answers no calls any more.
        effects: Its queue.
    """
    left = await asyncio.to_thread(engine.write_activity, settings.redis_timeout // _MILLISECOND)
    if left:
        _log.warning("activity.lost", count=left, component="redis")
    try:
        await effects.finish()
    except UnavailableError as error:
        # Bounds, activity and events.
        _log.warning("effects.lost", count=effects.queued, component=error.component)
