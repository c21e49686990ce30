"""What a group is, and what can go wrong with one."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from argus.base.errors import ArgusError, Code, InvalidFieldError
from argus.v1 import errors_pb2

MAX_DISPLAY_NAME: Final = 200
_ID: Final = re.compile(r"[a-z][a-z0-9-]{0,62}")


class GroupNotFoundError(ArgusError):
    """There is no such group."""

    def __init__(self, group_id: str) -> None:
        super().__init__(
            Code.NOT_FOUND,
            errors_pb2.ERROR_REASON_GROUP_NOT_FOUND,
            f"group {group_id} was not found",
            groupId=group_id,
        )


class GroupExistsError(ArgusError):
    """A group of the tenant has the id."""

    def __init__(self, field: str) -> None:
        super().__init__(
            Code.ALREADY_EXISTS,
            errors_pb2.ERROR_REASON_GROUP_EXISTS,
            f"{field}: a group of the tenant has it already",
            field=field,
        )


class MemberNotFoundError(ArgusError):
    """The user that is to join or leave does not exist."""

    def __init__(self, user_id: str) -> None:
        super().__init__(
            Code.NOT_FOUND, errors_pb2.ERROR_REASON_USER_NOT_FOUND, f"user {user_id} was not found", userId=user_id
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A set of users."""

    tenant_id: str
    group_id: str
    display_name: str
    member_count: int
    create_time: datetime


def is_group_id(text: str) -> bool:
    """A group could have this id."""
    return _ID.fullmatch(text) is not None


def check_group(group_id: str, display_name: str) -> None:
    """Raises `InvalidFieldError` for what can't be a group."""
    if not is_group_id(group_id):
        raise InvalidFieldError("group_id", "must be a lower-case letter and up to 62 of a-z, 0-9 and -")
    if len(display_name) > MAX_DISPLAY_NAME:
        raise InvalidFieldError("group.display_name", f"must have at most {MAX_DISPLAY_NAME} characters")
