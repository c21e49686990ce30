"""Writes mails from their templates: the same words as text and as HTML."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from functools import cache
from typing import Final

import idna
from jinja2 import Environment, PackageLoader, StrictUndefined

from argus.mail.model import LOCALES, MailRefusedError, QueuedMail, language

Words = Callable[[Mapping[str, str]], tuple[str, str, str] | None]
"""Writes subject, text and HTML for some variables; None: it can't, and Argus's own words are to be taken."""

_LAYOUTS: Final = ("subject", "text", "html")
_ON: Final = {"en": "{browser} on {system}", "de": "{browser} unter {system}"}
_GAPS: Final = re.compile(r"\n{3,}")
_UNREADABLE: Final = "MALFORMED_ADDRESS"


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """All that a mail is written from.

    Attributes:
        mail: The mail.
        sender: Address that it comes from.
        tenant: Name of the tenant, for people.
        home: Where the tenant's pages are.
        link: The link that stands in it.
        code: The code that stands in it.
        locale: Language where the mail says none.
        words: Writes it in words of the tenant's own: subject, text and HTML ("" where it has none) for its variables.
    """

    mail: QueuedMail
    sender: str
    tenant: str
    home: str
    link: str = field(default="", repr=False)
    code: str = field(default="", repr=False)
    locale: str = LOCALES[0]
    words: Words | None = field(default=None, repr=False)


def compose(letter: Letter) -> EmailMessage:
    """The mail, ready to be handed over.

    Raises:
        MailRefusedError: It can't be written (an address that no mail can have).
    """
    mail = letter.mail
    locale = language(mail.locale, default=letter.locale)
    message = EmailMessage(policy=SMTP)
    try:
        # No name can begin another header.
        message["From"] = Address(" ".join(letter.tenant.split()), addr_spec=wire_address(letter.sender))
        message["To"] = Address(addr_spec=wire_address(mail.recipient)) if mail.recipient else ""
    except (ValueError, IndexError):
        raise MailRefusedError(_UNREADABLE) from None
    subject, text, html = _written(letter, locale)
    message["Subject"] = subject
    message["Date"] = format_datetime(mail.create_time)
    message["Message-ID"] = f"<{mail.mail_id}@{wire_address(letter.sender).rpartition('@')[2]}>"
    # No machine answers it, and none that does is answered (RFC 3834).
    message["Auto-Submitted"] = "auto-generated"
    message["X-Auto-Response-Suppress"] = "All"
    message.set_content(text)
    if html:
        message.add_alternative(html, subtype="html")
    message["Content-Language"] = locale
    return message


def wire_address(address: str) -> str:
    """An address as mail servers know it: its domain in ASCII.

    Raises:
        MailRefusedError: Its domain can't be written so.
    """
    local, _, domain = address.rpartition("@")
    try:
        return f"{local}@{domain if domain.isascii() else idna.encode(domain, uts46=True).decode()}"
    except idna.IDNAError:
        raise MailRefusedError(_UNREADABLE) from None


def _written(letter: Letter, locale: str) -> tuple[str, str, str]:
    """Subject, text and HTML."""
    names = {"tenant": letter.tenant, "home": letter.home, "link": letter.link, "code": letter.code, "locale": locale}
    # Mails that waited while Argus was renewed have no such facts.
    names |= {"where": "", "credit": ""} | _in_words(letter.mail.variables, locale)
    own = letter.words(names) if letter.words is not None else None
    if own is not None:
        return own
    subject, *texts = (_layout(letter, names, locale, layout) for layout in _LAYOUTS)
    text, html = (_GAPS.sub("\n\n", one.strip()) + "\n" for one in texts)
    return " ".join(subject.split()), text, html


def _in_words(variables: Mapping[str, str], locale: str) -> dict[str, str]:
    """The facts of a mail, with a device that is told by browser and system in the reader's words."""
    facts = dict(variables)
    browser, system = facts.pop("browser", ""), facts.pop("os", "")
    return facts | ({"device": _ON[locale].format(browser=browser, system=system)} if browser and system else {})


def _layout(letter: Letter, names: Mapping[str, str], locale: str, layout: str) -> str:
    template = _environment(layout == "html").get_template(f"{letter.mail.template}.{locale}.j2")
    return template.render({**names, "layout": layout})


@cache
def _environment(is_html: bool) -> Environment:  # noqa: FBT001 - the key of the cache
    return Environment(
        loader=PackageLoader("argus.mail"),
        autoescape=is_html,  # noqa: S701  # the other one writes text
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
