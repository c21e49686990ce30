"""Pages that are asked for in ways that no browser of ours would."""

import re

import httpx
import pytest

from tests.support.account_links import NEW_PASSWORD, Post
from tests.support.mails import MailServer
from tests.support.people import new_person
from tests.support.stack import Stack

_HTML = {"accept": "text/html"}


@pytest.mark.parametrize("path", ["//evil.example/x", "/%2Fevil.example/x", "///evil.example", "/%5Cevil.example/x"])
async def test_no_page_leads_to_another_host(stack: Stack, path: str) -> None:
    """What stands behind the first slash may look like a host."""
    async with httpx.AsyncClient() as http:
        answer = await http.get(stack.server.http_url + path, headers=_HTML)
    assert answer.status_code == 404
    led = re.findall(r' (?:href|src|action)="([^"]*)"', answer.text)
    assert any("lang=de" in one for one in led)
    assert [one for one in led if re.match(r"/[/\\\\]|[a-z]+:", one)] == []


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/sign-in", "identifier"),
        ("/sign-in/code", "identifier"),
        ("/recovery", "identifier"),
        ("/verification", "identifier"),
        ("/account/recovery", "link"),
        ("/account/verification", "token"),
        ("/account/devices/x/rename", "name"),
        ("/account/security/x/rename", "name"),
    ],
)
@pytest.mark.parametrize("odd", ["a\0.b", "a\r\n.b"])
async def test_control_characters_are_refused_as_what_they_are(stack: Stack, path: str, field: str, odd: str) -> None:
    """They are no fault of ours that would be worth a trace in the log, and names with lines go into no mail."""
    tenant = await stack.new_tenant()
    origin = stack.argus.settings.base_url
    headers = _HTML | {"origin": origin, "sec-fetch-site": "same-origin"}
    async with httpx.AsyncClient() as http:
        url = f"{stack.server.http_url}/t/{tenant.tenant_id}{path}"
        answer = await http.post(url, data={field: odd, "password": "x"}, headers=headers)
    assert answer.status_code == 400


@pytest.mark.parametrize("ends", [True, False])
async def test_who_has_set_a_password_is_told_what_became_of_the_sessions(
    stack: Stack, mails: MailServer, ends: bool
) -> None:
    post = Post(stack=stack, api=await stack.new_tenant(), mails=mails)
    await post.set_policy(recovery_ends_sessions=ends)
    person = await new_person(post.api)
    await post.recover(person.identifier)
    form = {"token": (await post.mail(person.identifier)).token, "password": NEW_PASSWORD}
    headers = _HTML | {"origin": stack.argus.settings.base_url, "sec-fetch-site": "same-origin"}
    async with httpx.AsyncClient() as http:
        url = f"{stack.server.http_url}/t/{post.api.tenant_id}/account/recovery"
        text = (await http.post(url, data=form, headers=headers)).text
    assert "The password is changed" in text
    assert ("Where you were signed in before" in text) is ends
