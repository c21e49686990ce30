"""The settings of the default policy."""

from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from argus.base.durations import Duration

STRICT: Final = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, validate_default=True)
"""How every part of the settings is read."""


class PolicySettings(BaseModel):
    """What tenants without a policy of their own live by; empty: Argus's own default."""

    model_config = STRICT

    idle: Duration | None = Field(None, description="Longest gap between two uses of a session. Default 8h.")
    absolute: Duration | None = Field(None, description="Longest life of a session whatever its use. Default 24h.")
    access: Duration | None = Field(None, description="Life of an access token. Default 5m.")
    grace: Duration | None = Field(
        None,
        description="How long the refresh token before the newest counts; at least 2 x request_deadline. Default 30s.",
    )
    refresh_is_activity: bool | None = Field(
        None, description="Whether a refresh extends the idle deadline. Default true."
    )
    rotation: Literal["resilient", "strict"] | None = Field(
        None, description="resilient forgives lost answers; strict ends the family at any reuse. Default resilient."
    )
    reuse: Literal["contest", "end"] | None = Field(
        None, description="What a refresh token two generations old does to the session. Default contest."
    )
    session_limit: int | None = Field(None, ge=1, le=10_000, description="Sessions a user may have. Default 10.")
    on_limit: Literal["deny", "end_oldest", "end_least_recent"] | None = Field(
        None, description="What a sign-in beyond the limit does. Default end_oldest."
    )
    password_min_alone: int | None = Field(
        None, ge=15, le=128, description="Shortest password that is the only factor (SP 800-63B-4). Default 15."
    )
    password_min_with_second_factor: int | None = Field(
        None, ge=8, le=128, description="Shortest password beside a second factor. Default 8."
    )
    required_acr: int | None = Field(
        None,
        ge=1,
        le=3,
        description="Lowest level that a session may begin or be refreshed at (urn:argus:acr:N). Default 1.",
    )
    script_access_token: bool | None = Field(
        None, description="Whether scripts in browsers may see the access token that a cookie holds. Default false."
    )
    self_registration: bool | None = Field(
        None, description="Whether whoever reads the mail of an address may register. Default false."
    )
    recovery_ends_sessions: bool | None = Field(
        None, description="Whether a password set by a link in a mail ends all sessions of its user. Default true."
    )
