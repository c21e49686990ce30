"""Settings: where values come from, and which ones stop the start."""

import base64
from datetime import timedelta
from pathlib import Path

import pytest

from argus.base.settings import PolicySettings, Settings, SettingsError
from argus.base.settings_sources import unknown_variables, variable

KEY = base64.b64encode(bytes(range(32))).decode()
SERVABLE = {
    "ARGUS_REDIS_URL": "rediss://:secret@redis.example.com",
    "ARGUS_DATABASE_URL": "postgresql://argus:secret@db.example.com/argus?sslmode=verify-full",
    "ARGUS_KEY_ENCRYPTION_KEY": KEY,
}


def load(environ: dict[str, str] | None = None, *, config: Path | None = None, **flags: object) -> Settings:
    """Loads settings from a made-up environment."""
    return Settings.load(config=config, environ=environ or {}, flags=flags)


def problems(environ: dict[str, str]) -> str:
    """What a start with this environment is refused for."""
    with pytest.raises(SettingsError) as caught:
        load(environ).check_servable()
    return "\n".join(caught.value.problems)


def test_flag_before_environment_before_file_before_config_before_default(tmp_path: Path) -> None:
    config = tmp_path / "argus.toml"
    config.write_text(
        'log_level = "error"\ndrain_time = "5s"\nredis_timeout = "3s"\ndatabase_pool = 5\n[policy]\nidle = "1h"\n'
    )
    file = tmp_path / "timeout"
    file.write_text("4s\n")
    environ = {
        "ARGUS_LOG_LEVEL": "debug",
        "ARGUS_DRAIN_TIME": "6s",
        "ARGUS_DRAIN_TIME_FILE": "/nowhere",
        "ARGUS_REDIS_TIMEOUT_FILE": str(file),
        "ARGUS_POLICY__ABSOLUTE": "12h",
    }
    settings = load(environ, config=config, log_level="warning")
    assert (settings.log_level, settings.drain_time) == ("warning", timedelta(seconds=6))
    assert (settings.redis_timeout, settings.database_pool) == (timedelta(seconds=4), 5)
    assert (settings.policy.idle, settings.policy.absolute) == (timedelta(hours=1), timedelta(hours=12))
    sources = settings.provenance()
    assert sources["log_level"] == "flag"
    assert sources["drain_time"] == "environment ARGUS_DRAIN_TIME"
    assert sources["redis_timeout"] == f"file {file} (ARGUS_REDIS_TIMEOUT_FILE)"
    assert sources["database_pool"] == sources["policy.idle"] == f"file {config}"
    assert sources["base_url"] == "default"


def test_no_setting_is_hidden_by_the_file_form_of_another() -> None:
    names = {variable(path) for path in Settings.paths()}
    assert not {f"{name}_FILE" for name in names} & names


def test_every_setting_is_described() -> None:
    fields = {**Settings.model_fields, **PolicySettings.model_fields}
    assert not [name for name, field in fields.items() if not field.description]


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("ARGUS_GRPC_LISTEN", "0.0.0.0:50051", "ARGUS_GRPC_TLS_CERTIFICATE"),
        ("ARGUS_HTTP_LISTEN", "[::]:8080", "ARGUS_HTTP_TLS_CERTIFICATE"),
        ("ARGUS_ADMIN_LISTEN", "argus.internal:9090", "ARGUS_HTTP_TLS_CERTIFICATE"),
        ("ARGUS_GRPC_TLS_KEY", "key.pem", "go together"),
        ("ARGUS_GRPC_LISTEN", "50051", "host and port"),
        ("ARGUS_REQUEST_DEADLINE", "10", "number with a unit"),
        ("ARGUS_REQUEST_DEADLINE", "10m", "between 1s and 60s"),
        ("ARGUS_ARGON2_MEMORY_MIB", "8", "ARGUS_ARGON2_MEMORY_MIB"),
        ("ARGUS_ARGON2_PASSES", "1", "ARGUS_ARGON2_PASSES"),
        ("ARGUS_POLICY__PASSWORD_MIN_ALONE", "8", "ARGUS_POLICY__PASSWORD_MIN_ALONE"),
        ("ARGUS_KEY_ENCRYPTION_KEY", "changeme", "openssl rand -base64 32"),
        ("ARGUS_KEY_ENCRYPTION_KEY", base64.b64encode(bytes(32)).decode(), "openssl rand -base64 32"),
        ("ARGUS_REDIS_URL", "localhost:6379", "redis://"),
        ("ARGUS_REDIS_URL", "postgresql://db.example.com", "redis://"),
        ("ARGUS_REDIS_URL", "redis+sentinel://one,two,three", "name the service"),
        ("ARGUS_DATABASE_URL", "redis://redis.example.com", "postgresql://"),
        ("ARGUS_BASE_URL", "id.example.com", "https://"),
        ("ARGUS_REDIS_URL_FILE", "/nowhere", "can't be read"),
    ],
)
def test_what_is_unsafe_or_unusable_stops_the_start_and_says_what_to_set(name: str, value: str, says: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load({name: value})
    (problem,) = caught.value.problems
    assert says in problem


@pytest.mark.parametrize("name", SERVABLE)
def test_serving_needs_stores_and_a_key(name: str) -> None:
    assert f"{name} (or {name}_FILE)" in problems({**SERVABLE, name: ""})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ARGUS_REDIS_URL", "redis://:secret@redis.example.com"),
        ("ARGUS_REDIS_URL", "rediss://redis.example.com"),
        ("ARGUS_REDIS_URL", "redis+sentinel://:secret@127.0.0.1,two.example.com/main"),
        ("ARGUS_REDIS_URL", "rediss+sentinel://127.0.0.1,two.example.com/main"),
        ("ARGUS_DATABASE_URL", "postgresql://argus:secret@db.example.com/argus?sslmode=prefer"),
        ("ARGUS_BASE_URL", "http://id.example.com"),
    ],
)
def test_production_refuses_what_others_could_read(name: str, value: str) -> None:
    safe = {**SERVABLE, "ARGUS_PRODUCTION": "true", "ARGUS_BASE_URL": "https://id.example.com"}
    load(safe).check_servable()
    assert name in problems({**safe, name: value})


def test_a_wrong_value_is_never_repeated() -> None:
    with pytest.raises(SettingsError) as caught:
        load({"ARGUS_KEY_ENCRYPTION_KEY": "a-canary-value", "ARGUS_REDIS_URL": "another-canary"})
    assert "canary" not in str(caught.value)


def test_secrets_are_not_shown() -> None:
    settings = load(SERVABLE)
    assert "secret" not in repr(settings).replace("SecretStr", "")
    assert KEY not in settings.model_dump_json()


def test_config_refuses_what_is_no_setting(tmp_path: Path) -> None:
    config = tmp_path / "argus.toml"
    config.write_text('grpc_listn = "127.0.0.1:1"\n')
    with pytest.raises(SettingsError, match="grpc_listn is no setting"):
        load(config=config)


def test_misspelt_variables_are_found() -> None:
    environ = {"ARGUS_GRPC_LISTN": "x", "ARGUS_GRPC_LISTEN_FILE": "x", "ARGUS_CONFIG": "x", "HOME": "/"}
    assert unknown_variables(Settings.paths(), environ) == ["ARGUS_GRPC_LISTN"]
