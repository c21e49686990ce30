"""Checks that hold for every request, found by its descriptor: new fields need no line here."""

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final, TypeVar

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import DecodeError, Message
from google.protobuf.struct_pb2 import ListValue, Struct, Value
from google.protobuf.timestamp_pb2 import Timestamp

from argus.base.errors import InvalidFieldError
from argus.rpc import validate

MAX_TEXT: Final = 8192
"""Longest text or bytes field, in bytes."""

MAX_ITEMS: Final = 1000
"""Longest repeated field."""

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9_-]{0,64}")
_MAX_PAGE_TOKEN: Final = 1024
# What a caller was shown and passes on: whatever is wrong with it is the token's fault, as it is to the hot RPCs.
_PRESENTED: Final = frozenset({"token", "access_token", "refresh_token"})
# What a browser wrote and a caller passes on: a parser of its own says what is wrong with it.
_JSON: Final = frozenset({"webauthn_json", "response_json"})
_MAX_JSON: Final = 65_536
# What has lines; what it is made of is looked at where it is kept.
_LINES: Final = frozenset({"argus.v1.Template.text", "argus.v1.Template.html"})
_LINE_ENDS: Final = str.maketrans("", "", "\r\n\t")

M = TypeVar("M", bound=Message)


class UndecodableRequestError(InvalidFieldError):
    """The request's bytes are not the message that the RPC takes."""

    def __init__(self) -> None:
        super().__init__("request", "is not an encoded message of the RPC's request type")


def decode(message_class: type[M], encoded: bytes) -> M:
    """The message that `encoded` holds, checked.

    Raises:
        UndecodableRequestError: The bytes are not such a message.
        InvalidFieldError: A field breaks a rule that holds for every message.
    """
    try:
        message = message_class.FromString(encoded)
    except DecodeError:
        raise UndecodableRequestError from None
    check(message)
    return message


def check(message: Message, prefix: str = "") -> None:
    """Refuses control characters, over-long values, unknown enum numbers and impossible times, at any depth."""
    for field, value in message.ListFields():
        path = f"{prefix}{field.name}"
        if _is_map(field):
            _check_map(field, value, path)
            continue
        if field.is_repeated:
            _check_count(value, path)
        for where, one in _values(field, value, path):
            _check_value(field, one, where)


def _values(field: FieldDescriptor, value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if not field.is_repeated:
        yield path, value
        return
    for index, one in enumerate(value):
        yield f"{path}[{index}]", one


def _check_value(field: FieldDescriptor, value: Any, path: str) -> None:
    if field.message_type is not None:
        _check_message(value, path)
    elif field.enum_type is not None:
        if value not in field.enum_type.values_by_number:
            raise InvalidFieldError(path, f"is not a {field.enum_type.name}")
    elif field.type == FieldDescriptor.TYPE_STRING:
        _check_text(field, value, path)
    elif field.type == FieldDescriptor.TYPE_BYTES:
        _check_size(len(value), path, MAX_TEXT)
    elif field.name == "page_size":
        validate.page_size(value, path)


def _check_map(field: FieldDescriptor, values: Any, path: str) -> None:
    """Texts by their names; no request has another map."""
    entry = field.message_type
    if entry is None or any(one.type != FieldDescriptor.TYPE_STRING for one in entry.fields):
        raise InvalidFieldError(path, "cannot be set")
    _check_count(values, path)
    for name, value in values.items():
        for one in (name, value):
            _check_size(len(one.encode()), path, MAX_TEXT)
            if _CONTROL.search(one):
                raise InvalidFieldError(path, "must not have control characters")


def _check_message(value: Message, path: str) -> None:
    if isinstance(value, Timestamp):
        validate.timestamp(value, path)
    elif isinstance(value, Duration):
        validate.duration(value, path)
    elif isinstance(value, Struct):
        _check_size(value.ByteSize(), path, _MAX_JSON)
        if any(_CONTROL.search(one.replace("\n", " ")) for one in _texts(value)):
            raise InvalidFieldError(path, "must not have control characters other than line breaks")
    elif isinstance(value, FieldMask):
        _check_count(value.paths, path)
        for one in value.paths:
            _check_size(len(one.encode()), path, MAX_TEXT)
    else:
        check(value, f"{path}.")


def _texts(value: Struct | ListValue | Value) -> Iterator[str]:
    """Keys and texts of JSON, at any depth."""
    if isinstance(value, Struct):
        yield from value.fields
        inner: Iterable[Value] = value.fields.values()
    elif isinstance(value, ListValue):
        inner = value.values
    else:
        yield value.string_value
        yield from _texts(value.struct_value) if value.HasField("struct_value") else ()
        yield from _texts(value.list_value) if value.HasField("list_value") else ()
        return
    for one in inner:
        yield from _texts(one)


def _check_text(field: FieldDescriptor, value: str, path: str) -> None:
    if field.name in _PRESENTED:
        return
    if field.name in _JSON:
        _check_size(len(value.encode()), path, _MAX_JSON)
        return
    _check_size(len(value.encode()), path, _MAX_PAGE_TOKEN if field.name == "page_token" else MAX_TEXT)
    if _CONTROL.search(value.translate(_LINE_ENDS) if field.full_name in _LINES else value):
        raise InvalidFieldError(path, "must not have control characters")
    if field.name == "request_id" and not _REQUEST_ID.fullmatch(value):
        raise InvalidFieldError(path, "must be at most 64 of A-Z, a-z, 0-9, _ and -")


def _check_count(values: Any, path: str) -> None:
    if len(values) > MAX_ITEMS:
        raise InvalidFieldError(path, f"must have at most {MAX_ITEMS} items")


def _check_size(size: int, path: str, most: int) -> None:
    if size > most:
        raise InvalidFieldError(path, f"must have at most {most} bytes")


def _is_map(field: FieldDescriptor) -> bool:
    kind = field.message_type
    return kind is not None and kind.GetOptions().map_entry
