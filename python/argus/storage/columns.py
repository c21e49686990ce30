"""Any number of rows as a few parameters: one array a column, for `unnest`."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any


def columns(rows: Sequence[Sequence[Any]]) -> list[str]:
    """Rows as parameters of `unnest`: each column as PostgreSQL writes an array; the statement says of which type.

    The library's own arrays cost several times as much, and are of another type, so that the statement is prepared
    anew, whenever a column holds nothing but NULL or its numbers get longer.

    Raises:
        TypeError: A value is of a kind that no batch had so far.
    """
    return [f"{{{','.join(map(_element, column))}}}" for column in zip(*rows, strict=True)]


def _element(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, str):
        return f'"{_escaped(value)}"'
    if isinstance(value, datetime):
        return f'"{value.isoformat()}"'
    if isinstance(value, int | float):  # a bool, too
        return str(value)
    if isinstance(value, bytes):
        return f'"\\\\x{value.hex()}"'
    raise TypeError(f"no array of {type(value).__name__} was needed so far")


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
