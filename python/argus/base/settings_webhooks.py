"""Settings of webhooks, and of mail servers that tenants name themselves: where may something be sent."""

import ipaddress
from pathlib import Path
from typing import Self

from pydantic import BaseModel, Field, field_validator, model_validator

from argus.base.durations import Duration, parse_duration
from argus.base.settings_policy import STRICT


class WebhookSettings(BaseModel):
    """What docs/guides/notifications.md is about."""

    model_config = STRICT

    webhook_allowed_networks: str = Field(
        "",
        description="Private networks that tenants may have events sent to, separated by commas (10.20.0.0/16); empty: "
        "none. 127.0.0.0/8 allows this machine, by http:// too.",
    )
    webhook_ca_file: Path | None = Field(
        None,
        description="Certificates to trust for endpoints and mail servers of tenants in place of the system's, PEM.",
    )
    webhook_timeout: Duration = Field(
        parse_duration("10s"), description="Longest time that sending one event to an endpoint may take."
    )

    @property
    def webhook_networks(self) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
        """The networks of `webhook_allowed_networks`."""
        return _networks(self.webhook_allowed_networks)

    @field_validator("webhook_allowed_networks")
    @classmethod
    def _are_networks(cls, value: str) -> str:
        _networks(value)
        return value

    @model_validator(mode="after")
    def _webhook_time_is_usable(self) -> Self:
        # Shorter than a delivery is left to the process that has taken it.
        if not parse_duration("1s") <= self.webhook_timeout <= parse_duration("30s"):
            raise ValueError("ARGUS_WEBHOOK_TIMEOUT must be between 1s and 30s")
        return self


def _networks(value: str) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    try:
        return [ipaddress.ip_network(one.strip()) for one in value.split(",") if one.strip()]
    except ValueError:
        raise ValueError("say networks such as 10.20.0.0/16, separated by commas") from None
