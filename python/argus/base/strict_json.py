"""JSON as RFC 8259 has it, where strangers write it: UTF-8, each member once, no NaN and no Infinity."""

import json
from typing import Any, NoReturn


def parse(content: bytes) -> Any:
    """What a JSON text says.

    Raises:
        ValueError: It is none, a member stands twice in an object, or it is nested too deeply.
    """
    try:
        return json.loads(content.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _unique(members: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(members)
    if len(found) != len(members):
        raise ValueError("a member stands twice")
    return found


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")
