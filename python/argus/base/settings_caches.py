"""Settings of what a process keeps in memory, and of what it writes late."""

from pydantic import BaseModel, Field

from argus.base.settings_policy import STRICT


class CacheSettings(BaseModel):
    """What docs/guides/caches.md is about."""

    model_config = STRICT

    caller_cache_mib: int = Field(
        8,
        ge=0,
        le=65_536,
        description="Memory for the tokens of callers whose signature was checked, about 1 KiB each, MiB; 0: off.",
    )
    signature_cache_mib: int = Field(
        64, ge=0, le=65_536, description="Memory for tokens whose signature was checked, about 1 KiB each, MiB; 0: off."
    )
    state_cache_mib: int = Field(
        64,
        ge=0,
        le=65_536,
        description="Memory for the state of sessions, about 0.6 KiB each, which Redis keeps current by client "
        "tracking, MiB; 0: off. docs/guides/caches.md",
    )
    activity_queue: int = Field(
        10_000,
        ge=0,
        le=1_000_000,
        description="Uses of sessions that may wait to be written to Redis in batches; 0: each is written in its call.",
    )
