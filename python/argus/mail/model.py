"""What a mail is, which ones there are, and how long one is tried."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal, get_args

from argus.base.errors import ArgusError, Code
from argus.base.languages import accepted
from argus.v1.errors_pb2 import ErrorReason

Template = Literal[
    "recovery",
    "registration",
    "registration_known",
    "verification",
    "invitation",
    "email_code",
    "password_changed",
    "factor_added",
    "factor_removed",
    "factor_closed",
    "new_device",
    "device_reported",
    "session_limit",
    "identifier_added",
    "identifier_removed",
]
TEMPLATES: Final[tuple[Template, ...]] = get_args(Template)
"""Every mail that Argus sends."""
LOCALES: Final = ("en", "de")
"""Languages that there are templates in; the first stands in for all others."""

LONGEST_TRIED: Final = timedelta(days=2)
"""How long a mail is tried that says nothing else."""
LEASE: Final = timedelta(minutes=2)
"""How long a mail is left to the process that has taken it; longer than a mail server may take."""
_LONGEST_WAIT: Final = timedelta(hours=1)


class MailOffError(ArgusError):
    """What was asked for needs mail, and the installation sends none."""

    def __init__(self) -> None:
        super().__init__(
            Code.FAILED_PRECONDITION,
            ErrorReason.ERROR_REASON_MAIL_OFF,
            "this installation sends no mail; set ARGUS_MAIL_URL and ARGUS_MAIL_FROM",
        )


class MailRefusedError(Exception):
    """The mail server does not take the mail, and would not take it later.

    Attributes:
        reason: Its reply code, or what could not be done; nothing of the mail itself.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class MailDelayedError(Exception):
    """The mail could not be handed over now.

    Attributes:
        reason: Reply code or kind of failure; nothing of the mail itself.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class MailMessage:
    """A mail that is to be sent.

    Attributes:
        template: Which one.
        to: Address; empty: nobody gets it, and all is done as if somebody did.
        locale: Language that the reader likes, as BCP 47 ("de-AT") or an Accept-Language header; empty: not known.
        user_id: Whom it is about, for the audit.
        variables: What stands in it; never a secret.
        link_id: Link that stands in it.
        code_id: Code that stands in it.
        expire_time: When nobody wants it any more; None: after `LONGEST_TRIED`.
    """

    template: Template
    to: str
    locale: str = ""
    user_id: str | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    link_id: str | None = None
    code_id: str | None = None
    expire_time: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuedMail:
    """A mail that waits to be sent; see `MailMessage`.

    Attributes:
        attempts: How often it was taken to be sent, this time included.
    """

    tenant_id: str
    mail_id: str
    template: Template
    locale: str
    user_id: str | None
    recipient: str
    variables: Mapping[str, str]
    link_id: str | None
    code_id: str | None
    create_time: datetime
    expire_time: datetime
    attempts: int

    def next_try(self, *, now: datetime) -> datetime:
        """When it is tried again after a failure: later after every one."""
        return now + min(timedelta(seconds=10 * 2 ** min(self.attempts - 1, 12)), _LONGEST_WAIT)


def language(locale: str, *, default: str = LOCALES[0]) -> str:
    """The language of a template for somebody with this locale, or Accept-Language header."""
    return next((one for one in accepted(locale) if one in LOCALES), default)
