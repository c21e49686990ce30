"""A recovery ends the sessions of whoever may have had the password before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.presets.numbers import Number, numbers_of
from tests.presets.scene import office_of
from tests.support.account_links import Post
from tests.support.people import reason_of, refresh

if TYPE_CHECKING:
    from tests.support.mails import MailServer
    from tests.support.stack import Stack


@pytest.mark.parametrize("number", numbers_of("recovery_ends_sessions"))
async def test_recovery_ends_sessions(stack: Stack, mails: MailServer, number: Number) -> None:
    """All that there are, at once."""
    # The only mail is the one with the link.
    office = await office_of(stack, number, new_device_notice=False)
    person = await office.new_person()
    made = [await office.vouch(person) for _ in range(2)]
    post = Post(stack=stack, api=office.api, mails=mails)
    await post.recover(person.identifier)
    await post.complete("recovery", (await post.mail(person.identifier)).token)
    assert await person.list() == []
    for one in made:
        assert await reason_of(refresh(office.api, one.tokens.refresh_token)) == "SESSION_ENDED"
