"""Argus refuses to start on real stores that it can't keep its promises on, and says what to do."""

import os
import subprocess
import sys
from pathlib import Path

from redis import Redis

from argus.base.settings import Settings
from argus.server.private_stack import private_settings
from argus.storage.embedded import EmbeddedStores, StoreUrls


def run_argus(command: str, settings: Settings, **changes: str) -> subprocess.CompletedProcess[str]:
    """Runs a command that is expected to end by itself."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("ARGUS_")},
        "ARGUS_REDIS_URL": settings.redis_url.get_secret_value(),
        "ARGUS_DATABASE_URL": settings.database_url.get_secret_value(),
        "ARGUS_KEY_ENCRYPTION_KEY": settings.key_encryption_key.get_secret_value(),
        **{f"ARGUS_{name}_LISTEN": "127.0.0.1:0" for name in ("GRPC", "HTTP", "ADMIN")},
        **changes,
    }
    program = "from argus.cli.main import main; main()"
    return subprocess.run(
        [sys.executable, "-c", program, command],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_a_redis_that_evicts_stops_the_start(tmp_path: Path) -> None:
    """It would throw sessions away when memory is short."""
    with EmbeddedStores(tmp_path / "stores") as own, Redis.from_url(own.urls.redis) as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
        refused = run_argus("serve", private_settings(own.urls))
    assert refused.returncode != 0
    assert "maxmemory-policy noeviction" in refused.stderr


def test_an_open_listener_without_tls_stops_the_start(stores: StoreUrls) -> None:
    """Tokens and passwords would travel in the clear."""
    refused = run_argus("serve", private_settings(stores), ARGUS_GRPC_LISTEN="0.0.0.0:0")
    assert refused.returncode != 0
    assert "ARGUS_GRPC_TLS_CERTIFICATE" in refused.stderr


def test_codes_by_mail_without_mail_stop_the_start(tmp_path: Path) -> None:
    """Nobody would ever get one; `argus dev` keeps mails in a folder."""
    with EmbeddedStores(tmp_path / "stores") as own:
        settings = private_settings(own.urls)
        assert run_argus("migrate", settings).returncode == 0
        refused = run_argus("serve", settings, ARGUS_EMAIL_CODES="true")
    assert refused.returncode == 2
    assert "ARGUS_MAIL_URL" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_store_that_is_away_stops_the_start_with_its_name(stores: StoreUrls) -> None:
    refused = run_argus("serve", private_settings(stores), ARGUS_REDIS_URL="redis://127.0.0.1:1/0")
    assert refused.returncode != 0
    assert "redis" in refused.stderr.lower()
    assert "Traceback" not in refused.stderr
