"""Every setting of Argus: what it means, its default, and the rules that keep it safe.

A value comes from the first of: a flag, the environment (`ARGUS_REDIS_URL`), a file that the environment names
(`ARGUS_REDIS_URL_FILE`), `argus.toml`, the default. A setting that would make Argus unsafe stops the start.
"""

import os
import shlex
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, Literal, Self
from urllib.parse import parse_qs, urlsplit

from pydantic import (
    Field,
    PrivateAttr,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from argus.base.durations import Duration, format_duration, parse_duration
from argus.base.limits import LONGEST_KEY_ROTATION, RSA_SIZES, SHORTEST_KEY_ROTATION
from argus.base.listen import is_loopback
from argus.base.redis_url import RedisUrl
from argus.base.settings_caches import CacheSettings
from argus.base.settings_keys import read_keys
from argus.base.settings_listeners import ListenerSettings
from argus.base.settings_mail import MailSettings
from argus.base.settings_policy import PolicySettings
from argus.base.settings_sources import SettingsError, find_config, gather, variable
from argus.base.settings_webhooks import WebhookSettings

__all__ = ["PolicySettings", "Settings", "SettingsError"]

_ENCRYPTED_POSTGRESQL: Final = {"require", "verify-ca", "verify-full"}


class Settings(ListenerSettings, CacheSettings, MailSettings, WebhookSettings):
    """All settings. Made by hand it takes what it is given; `load` reads the sources."""

    data_dir: Path = Field(Path(".argus"), description="Folder of the embedded stores and of what `argus dev` makes.")
    production: bool = Field(default=False, description="Switches reflection off, logs JSON, and holds stores to TLS.")
    base_url: str = Field(
        "http://localhost:8080",
        description="Where the HTTP edge is reached; the issuer of a tenant is this + /t/<tenant>.",
    )

    redis_url: SecretStr = Field(
        SecretStr(""),
        description="Address of Redis 7.0+ or Valkey: redis://[user:password@]host[:port], or "
        "redis+sentinel://[user:password@]host[:26379][,host…]/service[?db=0&sentinel_password=…]; "
        "rediss in the place of redis for TLS. docs/guides/redis.md",
    )
    redis_ca_file: Path | None = Field(
        None, description="Certificates to trust for Redis in place of the system's, PEM."
    )
    redis_timeout: Duration = Field(parse_duration("2s"), description="Longest wait for an answer of Redis.")
    database_url: SecretStr = Field(SecretStr(""), description="postgresql:// address of PostgreSQL 15+.")
    database_timeout: Duration = Field(
        parse_duration("5s"), description="Longest wait for an answer of PostgreSQL; half of it for a connection."
    )
    database_pool: int = Field(16, ge=2, le=1000, description="Most connections to PostgreSQL of one process.")
    allow_plaintext_stores: bool = Field(
        default=False, description="In production, allows stores on other machines without TLS (private network)."
    )
    pg_bin: Path | None = Field(None, description="Folder of initdb and postgres for the embedded PostgreSQL.")
    valkey_bin: Path | None = Field(None, description="valkey-server or redis-server for the embedded Valkey.")

    key_encryption_key: SecretStr = Field(
        SecretStr(""), description="32 random bytes in base64 (openssl rand -base64 32); encrypts all keys at rest."
    )
    key_encryption_key_previous: SecretStr = Field(
        SecretStr(""),
        description="Key-encryption keys that were in its place before, separated by commas or lines; they only "
        "decrypt, until argus keys reencrypt has run. docs/guides/keys.md",
    )
    key_encryption_command: str = Field(
        "",
        description="In the place of key_encryption_key: a program that wraps and unwraps the key that Argus makes "
        "(KMS, Vault, PKCS#11). docs/guides/keys.md",
    )
    key_encryption_command_previous: str = Field(
        "", description="The program that was in its place before; it only unwraps."
    )
    key_encryption_timeout: Duration = Field(
        parse_duration("10s"), description="Longest time that a key-encryption command may take."
    )
    rsa_bits: int = Field(
        2048, description="Size of the RSA keys of new tenants that say none: 2048, 3072 or 4096 bits."
    )
    key_rotation_period: Duration = Field(
        parse_duration("90d"),
        description="How long a key signs until the next one takes over, for tenants that have no period of their own; "
        "0s: until argus keys rotate.",
    )
    refresh_token_alg: Literal["EdDSA", "RS256"] = Field(
        "EdDSA",
        description="Algorithm of new keys for refresh tokens; keys that are there stay until they are rotated "
        "(argus keys rotate --use refresh), and their tokens stay good.",
    )
    key_set_max_age: Duration = Field(
        parse_duration("5m"),
        description="How long readers may keep key sets and metadata; new keys are published twice as long before they "
        "sign, and consumers that can't be told accept a pulled key for as long.",
    )
    request_deadline: Duration = Field(
        parse_duration("10s"), description="Longest life of a call; longer ones are cut to it."
    )
    drain_time: Duration = Field(parse_duration("10s"), description="How long running calls may finish at a stop.")
    sweep_interval: Duration = Field(
        parse_duration("10s"), description="How often overdue sessions are ended; at most 30s."
    )
    rebuild_rate: int = Field(
        2000,
        ge=10,
        le=1_000_000,
        description="Most sessions a second that one process brings back from PostgreSQL after Redis lost data.",
    )
    effect_capacity: int = Field(100_000, ge=1000, description="Effects of hot calls that may wait to be written.")

    argon2_memory_mib: int = Field(
        19, ge=19, le=4096, description="Memory of one password hash (OWASP: at least 19), MiB."
    )
    argon2_passes: int = Field(2, ge=2, le=100, description="Passes of one password hash.")
    argon2_lanes: int = Field(1, ge=1, le=64, description="Lanes of one password hash.")
    argon2_workers: int | None = Field(
        None,
        ge=1,
        le=256,
        description="Password hashes computed at a time; if not given 2, or 1 on one or two processors.",
    )
    argon2_queue: int = Field(64, ge=1, le=100_000, description="Password hashes that may wait; more are turned away.")

    log_format: Literal["auto", "json", "console"] = Field(
        "auto", description="auto: json in production, else console."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level that is logged.")

    geo_folder: Path | None = Field(
        None,
        description="Folder of the address databases that tell where a device is (argus geo install); every .mmdb in "
        "it counts, and every .txt of ranges. If not given: geo in data_dir. docs/guides/devices.md",
    )
    patch_file: Path | None = Field(
        None,
        description="Release data that patch levels go by (argus patch update). If not given: releases.json in "
        "data_dir; without a file those that Argus brings.",
    )

    policy: PolicySettings = Field(default_factory=PolicySettings, description="Default policy.")

    _sources: dict[str, str] = PrivateAttr(default_factory=dict)

    @classmethod
    def load(
        cls,
        *,
        config: Path | None = None,
        environ: Mapping[str, str] = os.environ,
        flags: Mapping[str, Any] | None = None,
    ) -> Self:
        """Reads the settings from their sources.

        Args:
            config: The `argus.toml`; None: `ARGUS_CONFIG`, else the one of the working directory.
            environ: The environment.
            flags: What the command line gave, by setting; None means not given.

        Raises:
            SettingsError: A value can't be used; says which and why, never the value.
        """
        values, sources = gather(cls.paths(), flags or {}, environ, find_config(config, environ))
        tree: dict[str, Any] = {"policy": {}}
        for path, value in values.items():
            group, _, name = path.rpartition(".")
            (tree[group] if group else tree)[name] = value
        try:
            settings = cls.model_validate(tree)
        except ValidationError as error:
            raise SettingsError([_problem(details["loc"], details["msg"]) for details in error.errors()]) from None
        settings._sources.update(sources)  # noqa: SLF001
        return settings

    @classmethod
    def paths(cls) -> list[str]:
        """Names of all settings, those of the default policy as "policy.idle"."""
        return [name for name in cls.model_fields if name != "policy"] + [
            f"policy.{name}" for name in PolicySettings.model_fields
        ]

    def provenance(self) -> dict[str, str]:
        """Where each value came from: "flag", "environment …", "file …" or "default"."""
        return {path: self._sources.get(path, "given") for path in self.paths()}

    @property
    def logs_json(self) -> bool:
        """Whether log lines are JSON."""
        return self.log_format == "json" or (self.log_format == "auto" and self.production)

    @property
    def redis(self) -> RedisUrl | None:
        """The address of Redis, taken apart; None: none is set."""
        text = self.redis_url.get_secret_value()
        return RedisUrl.parse(text) if text else None

    @property
    def geo_path(self) -> Path:
        """Folder of the address databases."""
        return self.geo_folder or self.data_dir / "geo"

    @property
    def patch_path(self) -> Path:
        """File of the release data."""
        return self.patch_file or self.data_dir / "releases.json"

    def key_encryption_bytes(self) -> bytes | None:
        """The key-encryption key itself; None: a command wraps it, or none is set."""
        return next(iter(read_keys(self.key_encryption_key.get_secret_value())), None)

    def previous_key_encryption_bytes(self) -> list[bytes]:
        """The key-encryption keys that were in its place before."""
        return read_keys(self.key_encryption_key_previous.get_secret_value())

    def check_servable(self) -> None:
        """Refuses settings that `argus serve` would be unsafe or unable to run with.

        Raises:
            SettingsError: Says what to set.
        """
        problems = [
            f"{variable(name)} (or {variable(name)}_FILE) is not set"
            for name in ("redis_url", "database_url")
            if not getattr(self, name).get_secret_value()
        ]
        if not self.key_encryption_key.get_secret_value() and not self.key_encryption_command:
            name = variable("key_encryption_key")
            problems.append(f"{name} (or {name}_FILE) is not set, and neither is {variable('key_encryption_command')}")
        if self.production:
            problems += self._production_problems()
        if problems:
            raise SettingsError(problems)

    def _production_problems(self) -> list[str]:
        problems = []
        base = urlsplit(self.base_url)
        if base.scheme != "https" and not is_loopback(base.hostname or ""):
            problems.append("ARGUS_BASE_URL must begin with https:// in production")
        redis = self.redis
        if redis is not None and not all(is_loopback(host) for host, _ in redis.hosts):
            if not redis.is_encrypted and not self.allow_plaintext_stores:
                problems.append("ARGUS_REDIS_URL must begin with rediss (or set ARGUS_ALLOW_PLAINTEXT_STORES=true)")
            if not redis.password:
                problems.append("ARGUS_REDIS_URL has no password: give Redis one (requirepass or an ACL user)")
        database = urlsplit(self.database_url.get_secret_value())
        encrypted = not _ENCRYPTED_POSTGRESQL.isdisjoint(parse_qs(database.query).get("sslmode", []))
        if not is_loopback(database.hostname or "") and not encrypted and not self.allow_plaintext_stores:
            problems.append("ARGUS_DATABASE_URL needs sslmode=verify-full (or set ARGUS_ALLOW_PLAINTEXT_STORES=true)")
        return problems

    @field_validator("base_url")
    @classmethod
    def _is_base_url(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment or "@" in value:
            raise ValueError('say an address such as "https://id.example.com"')
        return value.rstrip("/")

    @field_validator("redis_url")
    @classmethod
    def _is_redis_url(cls, value: SecretStr) -> SecretStr:
        if text := value.get_secret_value():
            RedisUrl.parse(text)
        return value

    @field_validator("database_url")
    @classmethod
    def _is_database_url(cls, value: SecretStr) -> SecretStr:
        text = value.get_secret_value()
        if text and urlsplit(text).scheme not in {"postgresql", "postgres"}:
            raise ValueError("say a postgresql:// address")
        return value

    @field_validator("key_encryption_key", "key_encryption_key_previous")
    @classmethod
    def _is_strong_key(cls, value: SecretStr, field: ValidationInfo) -> SecretStr:
        if len(read_keys(value.get_secret_value())) > 1 and field.field_name == "key_encryption_key":
            raise ValueError("more than one key; those before it go to ARGUS_KEY_ENCRYPTION_KEY_PREVIOUS")
        return value

    @field_validator("key_encryption_command", "key_encryption_command_previous")
    @classmethod
    def _is_command(cls, value: str) -> str:
        if value and not shlex.split(value):
            raise ValueError("say a program and its arguments")
        return value

    @field_validator("rsa_bits")
    @classmethod
    def _is_rsa_size(cls, value: int) -> int:
        if value not in RSA_SIZES:
            raise ValueError(f"must be {', '.join(map(str, RSA_SIZES[:-1]))} or {RSA_SIZES[-1]}")
        return value

    @field_validator("key_rotation_period")
    @classmethod
    def _is_rotation_period(cls, value: timedelta) -> timedelta:
        if value and not SHORTEST_KEY_ROTATION <= value <= LONGEST_KEY_ROTATION:
            least, most = map(format_duration, (SHORTEST_KEY_ROTATION, LONGEST_KEY_ROTATION))
            raise ValueError(f"must be between {least} and {most}, or 0s")
        return value

    @model_validator(mode="after")
    def _key_has_one_source(self) -> Self:
        if self.key_encryption_key.get_secret_value() and self.key_encryption_command:
            raise ValueError(
                "ARGUS_KEY_ENCRYPTION_KEY and ARGUS_KEY_ENCRYPTION_COMMAND exclude each other: set the one that is to "
                "encrypt, and the other as ARGUS_KEY_ENCRYPTION_KEY_PREVIOUS or ARGUS_KEY_ENCRYPTION_COMMAND_PREVIOUS"
            )
        return self

    @model_validator(mode="after")
    def _times_are_usable(self) -> Self:
        for name, least, most in (
            ("key_set_max_age", "1s", "24h"),
            ("request_deadline", "1s", "60s"),
            ("redis_timeout", "10ms", "10s"),
            ("database_timeout", "100ms", "60s"),
            ("sweep_interval", "100ms", "30s"),
            ("key_encryption_timeout", "100ms", "60s"),
            ("drain_time", "0s", "10m"),
        ):
            if not parse_duration(least) <= getattr(self, name) <= parse_duration(most):
                raise ValueError(f"{variable(name)} must be between {least} and {most}")
        return self


def _problem(location: tuple[int | str, ...], message: str) -> str:
    text = message.removeprefix("Value error, ")
    return f"{variable('.'.join(map(str, location)))}: {text}" if location else text
