"""The commands for users, sessions, keys and clients, as an administrator runs them."""

import getpass
from pathlib import Path

import pytest

from argus.base.errors import InvalidFieldError
from argus.server.api import Api
from argus.server.smoke.walk import OWNER
from argus.tenants.model import TenantNotFoundError
from argus.v1 import authentication_service_pb2 as authentication
from argus.v1 import token_service_pb2 as tokens
from tests.support.shell import Shell
from tests.support.stack import Stack
from tests.support.world import NEW_PASSWORD, PASSWORD


@pytest.fixture
async def api(stack: Stack) -> Api:
    """A tenant of the test's own."""
    return await stack.new_tenant()


@pytest.fixture
def shell(stack: Stack, api: Api, tmp_path: Path) -> Shell:
    """A shell with the settings of the stack and that tenant."""
    return Shell(stack, api, tmp_path)


async def test_a_users_life(shell: Shell, api: Api) -> None:
    """Create with a password from a file, list, sign in, end, disable, enable, delete."""
    first = shell.file(PASSWORD)
    user = await shell.json(
        "users", "create", "--email", "ada@example.com", "--display-name", "Ada", "--password-file", first
    )
    assert (user["state"], user["identifiers"]) == ("active", ["ada@example.com"])
    await _sign_in(api, PASSWORD)
    listed = await shell.json("sessions", "list", "--user", user["user"])
    assert [one["state"] for one in listed] == ["active"]
    ended = await shell.json("sessions", "terminate", "--user", user["user"], listed[0]["session"])
    assert (ended["state"], ended["end_reason"]) == ("ended", "ENDED_BY_ADMIN")
    assert await shell.json("sessions", "list", "--user", user["user"]) == []
    assert len(await shell.json("sessions", "list", "--user", user["user"], "--ended")) == 1
    await shell.json("users", "set-password", user["user"], "--password-file", shell.file(NEW_PASSWORD))
    tokens_of_new = await _sign_in(api, NEW_PASSWORD)
    disabled = await shell.json("users", "disable", user["user"], "--comment", "left")
    assert disabled["state"] == "disabled"
    assert not (await api.tokens.IntrospectToken(tokens.IntrospectTokenRequest(token=tokens_of_new))).active
    assert (await shell.json("users", "enable", user["user"]))["state"] == "active"
    await shell.json("users", "delete", user["user"], "--yes")
    assert await shell.json("users", "list") == []


async def test_a_password_that_is_typed(shell: Shell) -> None:
    """Asked for twice, never shown; two that differ are asked for again."""
    user = await shell.json("users", "create", "--username", "ada")
    typed = f"{PASSWORD}\nanother\n{PASSWORD}\n{PASSWORD}\n"
    said = await shell.run("users", "set-password", user["user"], typed=typed)
    assert PASSWORD not in said


async def test_who_did_it_is_in_the_audit(shell: Shell, stack: Stack, api: Api) -> None:
    """The actor is the account that ran the command."""
    await shell.json("users", "create", "--username", "ada")
    rows = await stack.argus.db.fetch_all(
        "SELECT actor FROM audit_events WHERE tenant_id = %s AND type = 'user.created'", (api.tenant_id,)
    )
    assert {row["actor"] for row in rows} == {f"cli:{getpass.getuser()}"}


async def test_a_clients_life(shell: Shell, stack: Stack, api: Api) -> None:
    """Create, use its secret, rotate it, disable it."""
    made = await shell.json(
        "clients", "create", "reader", "--scope", "tokens.verify", "--resource", "https://reader.example.com"
    )
    await stack.argus.snapshot.refresh()
    await _issue(api, "reader", made["client_secret"])
    rotated = await shell.json("clients", "rotate-secret", "reader")
    assert rotated["client_secret"] != made["client_secret"]
    await _issue(api, "reader", rotated["client_secret"])
    widened = await shell.json("clients", "scopes", "reader", "--add", "policies.read", "--add", "tokens.verify")
    assert widened["scopes"] == ["tokens.verify", "policies.read"]
    narrowed = await shell.json("clients", "scopes", "reader", "--remove", "tokens.verify")
    assert narrowed["scopes"] == (await shell.json("clients", "scopes", "reader"))["scopes"] == ["policies.read"]
    assert (await shell.json("clients", "disable", "reader"))["disabled"] is True
    names = [client["client"] for client in await shell.json("clients", "list")]
    assert names == ["account", "backend", "reader"]
    assert "client_secret" not in await shell.run("clients", "list", "--json")


async def test_keys(shell: Shell) -> None:
    """List, rotate, revoke."""
    first = await shell.json("keys", "list")
    assert sorted(key["use"] for key in first) == ["access", "refresh", "refresh_id"]
    made = await shell.json("keys", "rotate", "--use", "refresh")
    assert made["state"] == "pending"
    revoked = await shell.json("keys", "revoke", made["key"], "--comment", "drill")
    assert revoked["state"] == "revoked"


async def test_rules_for_keys(shell: Shell) -> None:
    """Shown, changed one by one, taken back."""
    shown = await shell.json("keys", "configure")
    assert (shown["rsa_bits"], shown["rotate_every"]) == (2048, "default")
    assert (await shell.json("keys", "configure", "--rsa-bits", "3072"))["rotate_every"] == "default"
    changed = await shell.json("keys", "configure", "--rotate-every", "30d")
    assert (changed["rsa_bits"], changed["rotate_every"]) == (3072, "30d")
    assert (await shell.json("keys", "rotate"))["bits"] == 3072
    assert (await shell.json("keys", "configure", "--rotate-every", "never"))["rotate_every"] == "never"
    assert (await shell.json("keys", "configure", "--rotate-every", "default"))["rotate_every"] == "default"
    await shell.run("keys", "configure", "--rotate-every", "now and then", code=2)
    with pytest.raises(InvalidFieldError, match=r"tenant\.rsa_bits"):
        await shell.run("keys", "configure", "--rsa-bits", "1024")


async def test_nothing_is_encrypted_anew_without_a_new_key(shell: Shell) -> None:
    """The settings name the key that encrypts already."""
    done = await shell.json("keys", "reencrypt")
    assert (done["is_new"], done["keys"], done["secrets"]) == (False, 0, 0)
    assert "kek_id" in await shell.run("keys", "reencrypt")


async def test_tables_for_people(shell: Shell) -> None:
    """Without --json: columns and words."""
    await shell.json("users", "create", "--username", "ada", "--display-name", "Ada")
    assert "Ada" in await shell.run("users", "list")
    assert "active" in await shell.run("keys", "list")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("users", "disable", "AAAAAAAAAAAAAAAAAAAAAA"), 3),
        (("users", "list", "--tenant", "nobody"), 3),
        (("clients", "disable", "nobody"), 3),
        (("clients", "create", "Bad Name", "--scope", "x", "--resource", "https://x.example.com"), 4),
        (("keys", "revoke", "no-such-key"), 3),
        (("users", "create"), 2),
        (("keys", "rotate", "--use", "nothing"), 2),
        (("users", "nonsense"), 2),
    ],
)
async def test_exit_codes(stack: Stack, api: Api, tmp_path: Path, words: tuple[str, ...], code: int) -> None:
    """As the help says them."""
    ended, said = await Shell(stack, api, tmp_path).process(*words)
    assert ended == code, said
    assert "Traceback" not in said


async def _sign_in(api: Api, password: str) -> str:
    begun = await api.authentication.StartLogin(
        authentication.StartLoginRequest(parent=api.parent, identifier="ada@example.com", client_context=OWNER)
    )
    done = await api.authentication.SubmitFactor(
        authentication.SubmitFactorRequest(
            parent=api.parent, login_token=begun.login_token, password=password, client_context=OWNER
        )
    )
    return done.tokens.access_token


async def _issue(api: Api, client_id: str, secret: str) -> None:
    api_of_client = Api(
        api.address, tenant_id=api.tenant_id, client_id=client_id, client_secret=secret, clock=api.clock
    )
    assert (await api_of_client.issue()).tokens.access_token
    await api_of_client.close()


async def test_recovery_shows_what_it_would_end_and_ends_it(shell: Shell, stack: Stack, api: Api) -> None:
    """Nothing happens without `--yes`; a moment to come, one without a zone and an unknown tenant are refused."""
    await stack.new_world()
    words = ("recover", "--after-restore", "--tenant", api.tenant_id)
    (shown,) = await shell.json(*words)
    assert (shown["tenant"], shown["living"], shown["not_before"], shown["state"]) == (
        api.tenant_id,
        0,
        None,
        "would end",
    )
    assert "would end" in await shell.run(*words)
    at = ("--at", "2026-01-01T00:00:00Z")
    (done,) = await shell.json(*words, *at, "--yes")
    assert done["state"] == "ended"
    (again,) = await shell.json(*words, *at)
    assert again["not_before"] == "2026-01-01 00:00:00+00:00"
    assert len(await shell.json("recover", "--after-restore")) > 1
    with pytest.raises(InvalidFieldError, match="future"):
        await shell.run(*words, "--at", "2999-01-01T00:00:00Z")
    with pytest.raises(TenantNotFoundError):
        await shell.run("recover", "--after-restore", "--tenant", "nobody")
    await shell.run("recover", code=2)
    await shell.run(*words, "--at", "yesterday", code=2)
    await shell.run(*words, "--at", "2026-01-01T00:00:00", code=2)
