"""Every mail can be written in every language, as text and as HTML, whatever it is about."""

from __future__ import annotations

from datetime import UTC, datetime
from email.message import EmailMessage
from importlib.resources import files
from typing import Final, cast, get_args

import pytest

from argus.credentials.model import CredentialKind
from argus.mail.letters import Letter, compose
from argus.mail.model import LOCALES, TEMPLATES, QueuedMail, Template
from argus.users.model import IdentifierKind

TIME: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOME: Final = "https://id.example.com/t/acme"
LINK: Final = f"{HOME}/account/recovery#token"
# Whoever sends one says of what kind the thing is that it is about.
KINDS: Final[dict[Template, tuple[str, ...]]] = {
    "factor_added": get_args(CredentialKind),
    "factor_removed": get_args(CredentialKind),
    "factor_closed": get_args(CredentialKind),
    "identifier_added": get_args(IdentifierKind),
    "identifier_removed": get_args(IdentifierKind),
}
CASES: Final = [(template, kind) for template in TEMPLATES for kind in KINDS.get(template, ("",))]
# Those that tell of something that has happened.
NOTICES: Final = {*KINDS, "password_changed", "new_device", "device_reported", "session_limit"}


def written(template: Template, kind: str, locale: str) -> EmailMessage:
    """A mail, about a thing with a name that is no markup."""
    facts = {
        "kind": kind,
        "name": "<b>&",
        "value": "<b>&",
        "time": "now",
        "device": "<b>&",
        "place": "",
        "by": "service",
    }
    mail = QueuedMail(
        tenant_id="acme",
        mail_id="m",
        template=template,
        locale=locale,
        user_id="u",
        recipient="ada@example.com",
        variables=facts if template in NOTICES else {},
        link_id=None,
        code_id=None,
        create_time=TIME,
        expire_time=TIME,
        attempts=1,
    )
    return compose(Letter(mail=mail, sender="a@example.com", tenant="Acme", home=HOME, link=LINK, code="123456"))


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize(("template", "kind"), CASES)
def test_a_mail_is_written(template: Template, kind: str, locale: str) -> None:
    message = written(template, kind, locale)
    text, html = (str(cast("EmailMessage", part).get_content()) for part in message.iter_parts())
    assert str(message["Subject"]).strip()
    assert f'lang="{locale}"' in html
    assert str(message["Subject"]) in html
    assert "Acme" in text
    assert "<b>" not in html
    assert "{{" not in text + html
    assert max(map(len, text.splitlines())) <= 100
    if template in NOTICES:
        assert all(f"{HOME}/{path}" in part for path in ("account/devices", "recovery") for part in (text, html))


@pytest.mark.parametrize(("template", "kind"), CASES)
def test_languages_differ(template: Template, kind: str) -> None:
    english, german = (written(template, kind, locale) for locale in LOCALES)
    assert english["Subject"] != german["Subject"]


def test_there_are_as_many_templates_as_mails() -> None:
    """None is missing, and none is left over."""
    found = {one.name for one in (files("argus.mail") / "templates").iterdir() if not one.name.startswith("_")}
    assert found == {f"{template}.{locale}.j2" for template in TEMPLATES for locale in LOCALES}
