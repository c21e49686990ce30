"""Links and codes that are sent by mail: what they are for, how long they live, how their secrets are made."""

import base64
import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from argus.base.errors import ArgusError, Code
from argus.v1.errors_pb2 import ErrorReason

Purpose = Literal["recovery", "registration", "verification", "invitation", "handover", "not_me"]
"""What a link is for; it is good for nothing else. "handover" is a recovery that an administrator hands over,
"not_me" says that it was somebody else on a new device."""
RequestKind = Literal["recovery", "registration", "verification", "email_code"]
"""What somebody may ask for who has proved nothing yet."""

LINK_LIVES: Final[dict[Purpose, timedelta]] = {
    "recovery": timedelta(hours=1),
    "registration": timedelta(days=1),
    "verification": timedelta(days=1),
    "invitation": timedelta(days=7),
    "handover": timedelta(hours=1),
    # Mails are read late, and it only takes away.
    "not_me": timedelta(days=7),
}
"""How long a link is good."""
CODE_LIFE: Final = timedelta(minutes=10)
"""How long a code is good."""
CODE_TRIES: Final = 5
"""How often a code may be tried, the right one included."""

_CODES: Final = 1_000_000


class LinkInvalidError(ArgusError):
    """The link is not good here: unknown, used, too old, or made for something else; which is in the audit alone."""

    def __init__(self) -> None:
        super().__init__(
            Code.FAILED_PRECONDITION,
            ErrorReason.ERROR_REASON_LINK_INVALID,
            "the link has been used, is too old or is not for this; ask for a new one",
        )


class RegistrationClosedError(ArgusError):
    """The tenant's policy lets nobody register."""

    def __init__(self) -> None:
        super().__init__(
            Code.FAILED_PRECONDITION,
            ErrorReason.ERROR_REASON_REGISTRATION_CLOSED,
            "nobody can register here; ask for an invitation",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A link in a mail, without its secret.

    Attributes:
        user_id: Whose account it is about; empty: of nobody yet.
        address: Where it was sent; empty: nowhere, it only stands for the work, or was handed over.
        subject: What it is about besides its user (a device); empty: nothing.
    """

    tenant_id: str
    link_id: str
    purpose: Purpose
    user_id: str
    address: str
    create_time: datetime
    expire_time: datetime
    use_time: datetime | None = None
    subject: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountRequest:
    """Something that somebody has asked for and that a worker carries out.

    Attributes:
        identifier: As it was typed; empty: it is about `user_id`.
        code_id: The code that is to be sent.
        actor: Who asked, for the audit.
        request_id: By which call, for the audit.
    """

    tenant_id: str
    account_request_id: str
    kind: RequestKind
    identifier: str
    user_id: str | None
    locale: str
    code_id: str | None
    actor: str
    request_id: str
    ip_address: str | None
    create_time: datetime


def link_secret(key: bytes, link: Link) -> str:
    """The secret of a link: 256 bits that only the installation's key gives, bound to tenant and purpose."""
    digest = _digest(key, "link", link.tenant_id, link.purpose, link.link_id)
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def code_digits(key: bytes, tenant_id: str, code_id: str, user_id: str) -> str:
    """The six digits of a code; another user's are others."""
    return f"{int.from_bytes(_digest(key, 'code', tenant_id, code_id, user_id)) % _CODES:06d}"


def _digest(key: bytes, *parts: str) -> bytes:
    return hmac.new(key, "\0".join(parts).encode(), hashlib.sha256).digest()
