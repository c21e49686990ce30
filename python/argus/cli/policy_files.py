"""Policy documents in files, YAML or JSON, and the words by which commands name scopes."""

import re
import sys
from collections.abc import Callable, Hashable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import typer
import yaml

from argus.policies.conditions import Facts
from argus.policies.model import Document, Scope
from argus.policies.resolve import SCOPE_KINDS

_SEVERAL: Final = frozenset({"amr"})
_BOOL: Final = "tag:yaml.org,2002:bool"


class _Loader(yaml.SafeLoader):
    """Refuses a key that stands twice, of which the later one would count; only true and false are yes and no.

    By YAML 1.1 the country code of Norway would be a no.
    """

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """A mapping of different keys."""
        keys = [key.value for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(None, None, f'"{key}" stands twice', node.start_mark)
        return super().construct_mapping(node, deep)


_Loader.yaml_implicit_resolvers = {
    first: [one for one in some if one[0] != _BOOL] for first, some in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(_BOOL, re.compile("^(?:true|false)$"), list("tf"))


def read_document(file: Path) -> Document:
    """The document of a file; "-": of standard input. JSON is YAML, too.

    Raises:
        BadParameter: It can't be read, or is no document.
    """
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text("utf-8")
        said = yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise typer.BadParameter(f"{file} can't be read: {error}") from None
    if said is None:
        return {}
    if not isinstance(said, dict):
        raise typer.BadParameter(f"{file} is no document: it has no fields")
    return {str(key): value for key, value in said.items()}


def scope_of(text: str, tenant_id: str) -> Scope:
    """The scope that "tenant", "client:ID", "group:ID" or "user:ID" names.

    Raises:
        BadParameter: It names none.
    """
    kind, _, name = text.partition(":")
    if kind not in SCOPE_KINDS or bool(name) == (kind == "tenant"):
        raise typer.BadParameter('say "tenant", "client:ID", "group:ID" or "user:ID"', param_hint="--scope")
    return Scope(kind=kind, id=name or tenant_id)


def facts_of(said: Sequence[str]) -> Facts:
    """The facts that some "name=value" are; a name that holds several values may be given often.

    Raises:
        BadParameter: It is no fact, or its value is none.
    """
    known: dict[str, Any] = {}
    for one in said:
        name, _, value = one.partition("=")
        if name not in _READERS or not value:
            raise typer.BadParameter(f'"{one}": say NAME=VALUE, of {", ".join(_READERS)}', param_hint="--fact")
        try:
            read = _READERS[name](value)
        except (ValueError, KeyError):
            raise typer.BadParameter(f'"{one}" has no such value', param_hint="--fact") from None
        known[name] = (*known.get(name, ()), read) if name in _SEVERAL else read
    return Facts(**known)


def _time(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    return time if time.tzinfo else time.replace(tzinfo=UTC)


_READERS: Final[dict[str, Callable[[str], Any]]] = {
    "acr": int,
    "amr": str,
    "device_class": str,
    "device_trusted": {"yes": True, "true": True, "no": False, "false": False}.__getitem__,
    "country": str,
    "network_class": str,
    "time": _time,
}
