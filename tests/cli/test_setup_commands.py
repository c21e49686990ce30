"""The commands that set an installation up: what they print, what they change, and how they end."""

import base64
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from argus.storage.embedded import EmbeddedStores

KEY = base64.b64encode(os.urandom(32)).decode()

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def own_stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStores]:
    """Stores of these tests alone: what an `argus` opens it loads its functions into."""
    with EmbeddedStores(tmp_path_factory.mktemp("stores")) as stores:
        yield stores
        stores.delete()


@pytest.fixture
def run(own_stores: EmbeddedStores, tmp_path: Path) -> Iterator[Run]:
    """Runs `argus` on a database of the test's own; settings of the test's come on top."""
    stores = own_stores.urls
    database = stores.database.rpartition("/")[0] + "/setting_up"
    environment = {
        "PATH": os.defpath,
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "ARGUS_REDIS_URL": stores.redis,
        "ARGUS_DATABASE_URL": database,
        "ARGUS_KEY_ENCRYPTION_KEY": KEY,
    }

    def argus(*words: str, **settings: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", "from argus.cli.main import main; main()", *words],
            env=environment | settings,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )

    with psycopg.connect(stores.database, autocommit=True) as connection:
        connection.execute("CREATE DATABASE setting_up")
        yield argus
        connection.execute("DROP DATABASE setting_up WITH (FORCE)")


def test_migrate_says_what_is_missing_and_applies_it_once(run: Run) -> None:
    before = run("migrate", "--check", "--json")
    assert before.returncode == 1
    pending = json.loads(before.stdout)["pending"]
    assert pending[0] == "0001_initial"
    assert json.loads(run("migrate", "--json").stdout)["applied"] == pending
    assert run("migrate", "--check").returncode == 0
    assert json.loads(run("migrate", "--json").stdout)["applied"] == []


def test_doctor_finds_a_schema_that_is_behind_and_then_nothing(run: Run) -> None:
    behind = run("doctor")
    assert behind.returncode == 1
    assert "run argus migrate" in behind.stdout.replace("\n", " ")
    run("migrate")
    sound = run("doctor", "--json")
    assert sound.returncode == 0, sound.stdout
    assert {row["verdict"] for row in json.loads(sound.stdout)} == {"ok"}


def verdicts(told: subprocess.CompletedProcess[str], check: str) -> list[str]:
    """What the doctor says about one thing."""
    return [row["verdict"] for row in json.loads(told.stdout) if row["check"] == check]


def test_doctor_says_which_keys_are_small(run: Run) -> None:
    """2048 bits are no failure; a larger size is in force with the next key."""
    run("migrate")
    run("bootstrap")
    for rules, says in (
        ((), ["1 tenant (system) below 3072 bits: argus keys configure --rsa-bits 3072, then argus keys rotate"]),
        (("configure", "--rsa-bits", "3072"), ["1 tenant (system) with larger keys to come: argus keys rotate"]),
        (("rotate", "--immediate"), []),
    ):
        if rules:
            assert run("keys", *rules, "--tenant", "system").returncode == 0
        told = run("doctor", "--json")
        assert (told.returncode, verdicts(told, "keys.rsa")) == (0, says)
        assert verdicts(told, "key-encryption key") == ["ok"]


def test_doctor_leads_through_a_change_of_the_key_encryption_key(run: Run) -> None:
    """A wrong one is a failure; what is left to do is said."""
    new = base64.b64encode(os.urandom(32)).decode()
    both = {"ARGUS_KEY_ENCRYPTION_KEY": new, "ARGUS_KEY_ENCRYPTION_KEY_PREVIOUS": KEY}
    run("migrate")
    run("bootstrap")
    wrong = run("doctor", "--json", ARGUS_KEY_ENCRYPTION_KEY=new)
    assert wrong.returncode == 1
    assert "set ARGUS_KEY_ENCRYPTION_KEY" in verdicts(wrong, "key-encryption key")[0]
    before = run("doctor", "--json", **both)
    assert (before.returncode, "argus keys reencrypt" in verdicts(before, "key-encryption key")[-1]) == (0, True)
    assert run("keys", "reencrypt", **both).returncode == 0
    after = run("doctor", "--json", **both)
    assert "unset ARGUS_KEY_ENCRYPTION_KEY_PREVIOUS" in verdicts(after, "key-encryption key")[-1]
    assert verdicts(run("doctor", "--json", ARGUS_KEY_ENCRYPTION_KEY=new), "key-encryption key") == ["ok"]


def test_doctor_says_which_files_others_could_read(run: Run, tmp_path: Path) -> None:
    """A secret's file is for one account."""
    run("migrate")
    file = tmp_path / "key"
    file.write_text(KEY)
    for mode, says in ((0o644, [f"other accounts of this machine may read it: chmod 600 {file}"]), (0o600, [])):
        file.chmod(mode)
        told = run("doctor", "--json", ARGUS_KEY_ENCRYPTION_KEY_FILE=str(file))
        assert (told.returncode, verdicts(told, "settings.key_encryption_key")) == (0, says)


def test_doctor_says_what_is_not_set(run: Run) -> None:
    told = run("doctor", "--json", ARGUS_KEY_ENCRYPTION_KEY="", ARGUS_GRPC_LISTN="x")
    assert told.returncode == 1
    verdicts = [row["verdict"] for row in json.loads(told.stdout)]
    unset = "ARGUS_KEY_ENCRYPTION_KEY (or ARGUS_KEY_ENCRYPTION_KEY_FILE) is not set"
    assert f"{unset}, and neither is ARGUS_KEY_ENCRYPTION_COMMAND" in verdicts
    assert "ARGUS_GRPC_LISTN is no setting; is it misspelt?" in verdicts


def test_config_show_says_where_a_value_came_from_and_no_secret(run: Run, tmp_path: Path) -> None:
    (tmp_path / "argus.toml").write_text('drain_time = "1m30s"\n')
    shown = run("config", "show", "--json")
    assert shown.returncode == 0
    rows = {row["setting"]: row for row in json.loads(shown.stdout)}
    assert rows["drain_time"]["value"] == "1m30s"
    assert rows["drain_time"]["source"] == "file argus.toml"
    assert rows["key_encryption_key"]["source"] == "environment ARGUS_KEY_ENCRYPTION_KEY"
    assert rows["key_encryption_key"]["value"] == "(set)"
    assert rows["grpc_listen"]["source"] == "default"
    assert KEY not in shown.stdout


def test_serve_refuses_what_is_unsafe_before_it_opens_anything(run: Run) -> None:
    refused = run("serve", "--grpc-listen", "0.0.0.0:50051")
    assert refused.returncode == 2
    assert "ARGUS_GRPC_LISTEN is not loopback: set ARGUS_GRPC_TLS_CERTIFICATE" in refused.stderr


def test_serve_refuses_a_schema_that_is_behind(run: Run) -> None:
    refused = run("serve")
    assert refused.returncode == 5
    assert "run argus migrate" in refused.stderr


@pytest.mark.parametrize(
    ("name", "url", "says"),
    [
        ("ARGUS_REDIS_URL", "redis://127.0.0.1:1", "Redis can't be reached"),
        ("ARGUS_DATABASE_URL", "postgresql://argus:canary@127.0.0.1:1/argus", "PostgreSQL can't be reached"),
    ],
)
def test_serve_refuses_stores_that_are_away(run: Run, name: str, url: str, says: str) -> None:
    refused = run("serve", **{name: url})
    assert refused.returncode == 5
    assert says in refused.stderr
    assert "canary" not in refused.stderr
    assert "Traceback" not in refused.stderr


def test_bootstrap_shows_a_secret_once(run: Run, tmp_path: Path) -> None:
    run("migrate")
    first = json.loads(run("bootstrap", "--json").stdout)
    assert (first["tenant"], first["client"], len(first["client_secret"])) == ("system", "operator", 43)
    again = run("bootstrap", "--secrets-dir", str(tmp_path / "secrets"), "--json")
    assert "client_secret" not in json.loads(again.stdout)
    assert not (tmp_path / "secrets").exists()


def test_bootstrap_writes_the_secret_for_one_account(run: Run, tmp_path: Path) -> None:
    run("migrate")
    made = json.loads(run("bootstrap", "--secrets-dir", str(tmp_path / "secrets"), "--json").stdout)
    file = Path(made["client_secret"])
    assert file.stat().st_mode & 0o777 == 0o600
    assert len(file.read_text()) == 43


def test_dev_is_not_for_production(run: Run) -> None:
    refused = run("dev", ARGUS_PRODUCTION="true", ARGUS_ALLOW_PLAINTEXT_STORES="true")
    assert refused.returncode == 2
    assert "argus serve" in refused.stderr
