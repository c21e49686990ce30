"""Which notices there are, and which of them can be switched off."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from argus.base.errors import ArgusError, Code
from argus.v1.errors_pb2 import ErrorReason

REQUIRED: Final = frozenset(
    {
        "password_changed",
        "factor_added",
        "factor_removed",
        "factor_closed",
        "device_reported",
        "identifier_added",
        "identifier_removed",
    }
)
"""Notices that protect the account: whoever has got into it must not be able to have its owner not told."""
OPTIONAL: Final[Mapping[str, bool]] = {"new_device": True, "session_limit": False}
"""Notices that a user may do without, and whether one who has said nothing gets them."""


class NoticeRequiredError(ArgusError):
    """The notice protects the account: nobody can switch it off."""

    def __init__(self, notice: str) -> None:
        super().__init__(
            Code.FAILED_PRECONDITION,
            ErrorReason.ERROR_REASON_NOTICE_REQUIRED,
            f"{notice} protects the account and can't be switched off",
            notice=notice,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Preference:
    """Whether a user gets a notice by mail."""

    notice: str
    mail: bool = True
    required: bool = False
