"""The commands by which administrators help users in again."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING

import pytest

from tests.support.account_links import NEW_PASSWORD, Post
from tests.support.factor_scene import Scene, new_scene
from tests.support.people import reason_of
from tests.support.shell import Shell

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.mails import MailServer
    from tests.support.stack import Stack


@pytest.fixture
async def scene(stack: Stack) -> Scene:
    return await new_scene(stack)


@pytest.fixture
def shell(stack: Stack, scene: Scene, tmp_path: Path) -> Shell:
    """A shell that can send mails."""
    settings = stack.private.settings
    assert settings.mail_url is not None
    mail = {"ARGUS_MAIL_URL": settings.mail_url.get_secret_value(), "ARGUS_MAIL_FROM": settings.mail_from}
    return Shell(stack, scene.api, tmp_path, **mail)


async def test_factors_are_listed_and_taken_away(shell: Shell, scene: Scene, stack: Stack) -> None:
    """One kind, then the rest; asked before, and with the account that did it in the audit."""
    user = scene.person.user_id
    await scene.app()
    await scene.codes()
    listed = await shell.json("users", "factors", user)
    assert {one["kind"] for one in listed} == {"password", "totp", "recovery_codes"}
    assert [one["codes_left"] for one in listed if "codes_left" in one] == [10]
    said = await shell.run("users", "reset-factors", user, typed="n\n", code=1)
    assert "Take app and codes and passkeys" in said
    assert len(await shell.json("users", "factors", user)) == 3
    first = await shell.json("users", "reset-factors", user, "--yes", "--kind", "app", "--keep-sessions")
    assert first == {"user": user, "removed": ["totp"], "sessions": "kept"}
    rest = await shell.json("users", "reset-factors", user, "--yes", "--comment", "seen with passport")
    assert rest == {"user": user, "removed": ["recovery_codes"], "sessions": "ended"}
    rows = await stack.argus.db.fetch_all(
        "SELECT DISTINCT actor FROM audit_events WHERE tenant_id = %s AND type = 'credential.deleted'",
        (scene.api.tenant_id,),
    )
    assert [row["actor"] for row in rows] == [f"cli:{getpass.getuser()}"]


async def test_a_kind_that_there_is_not(shell: Shell, scene: Scene) -> None:
    await shell.run("users", "reset-factors", scene.person.user_id, "--yes", "--kind", "password", code=2)
    assert {one["kind"] for one in await shell.json("users", "factors", scene.person.user_id)} == {"password"}


async def test_a_link_is_sent_or_shown(shell: Shell, scene: Scene, mails: MailServer) -> None:
    """Both lead to a new password; with --json scripts get the link alone."""
    user, post = scene.person.user_id, Post(stack=scene.stack, api=scene.api, mails=mails)
    sent = await shell.json("users", "send-recovery", user)
    assert sent["sent_to"] == scene.person.identifier
    assert (await post.mail(scene.person.identifier)).token
    shown = await shell.json("users", "recovery-link", user)
    await post.complete("recovery", shown["link"].partition("#")[2])
    assert await reason_of(scene.person.sign_in(password=NEW_PASSWORD)) == ""
