"""What a template is, what may stand in it, and how it is rendered.

Templates come from tenants, so they are data and no programs: text with variables, conditions and a few filters. Of
Jinja2 nothing else is let in (no loop, no call, no attribute, no import), so that a template can reach nothing, and is
never longer than itself and its variables.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from jinja2 import StrictUndefined, TemplateSyntaxError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from argus.base.errors import ArgusError, Code
from argus.base.events import EVENT_TYPES
from argus.v1.errors_pb2 import ErrorReason

Medium = Literal["mail", "webhook"]
Cause = Literal["SYNTAX", "NOT_ALLOWED", "UNKNOWN_VARIABLE", "NOT_JSON", "TOO_LONG"]

LOCALES: Final = ("en", "de")
MAX_SUBJECT: Final = 200
MAX_TEXT: Final = 8000
_DEEPEST: Final = 20
_FILTERS: Final = frozenset({"default", "lower", "title", "trim", "upper"})
# Texts are compared with texts or numbers: what is in order or not in order depends on the value.
_OPERATORS: Final = frozenset({"eq", "ne"})
_OF_DEFAULT: Final = (str, bool)
_NODES: Final = (
    nodes.Template,
    nodes.Output,
    nodes.TemplateData,
    nodes.Name,
    nodes.Const,
    nodes.If,
    nodes.Filter,
    nodes.Not,
    nodes.And,
    nodes.Or,
    nodes.Compare,
    nodes.Operand,
)

_OF_ALL: Final = {"tenant": "Example", "home": "https://id.example.com/t/example", "locale": "en"}
_LINK: Final = _OF_ALL | {"link": "https://id.example.com/t/example/account/recovery#AAAA.BBBB"}
_FACTS: Final = _OF_ALL | {
    "name": "My phone",
    "value": "ada@example.com",
    "time": "2026-01-02 03:04 UTC",
    "device": "Firefox on Linux",
    "place": "192.0.2.1",
    "where": "Paris, FR",
    "credit": "",
    "by": "",
    "kind": "totp",
}
MAIL_EXAMPLES: Final[Mapping[str, Mapping[str, str]]] = {
    "recovery": _LINK,
    "registration": _LINK,
    "registration_known": _OF_ALL,
    "verification": _LINK,
    "invitation": _LINK,
    "email_code": _OF_ALL | {"code": "123456"},
    **dict.fromkeys(
        (
            "password_changed",
            "factor_added",
            "factor_removed",
            "factor_closed",
            "session_limit",
            "identifier_added",
            "identifier_removed",
        ),
        _FACTS,
    ),
    **dict.fromkeys(("new_device", "device_reported"), _FACTS | _LINK),
}
"""Of each mail its variables, each with an example."""
EVENT_EXAMPLES: Final[Mapping[str, str]] = {
    "id": "oLhSK_07APKjtxjFmZLqwA",
    "type": "session.ended",
    "time": "2026-01-02T03:04:05Z",
    "tenant": "example",
    "actor": "client:backend",
    "user_id": "u7Zc0n9aTz2kq1Jm4xWb8A",
    "session_id": "AAFx3VQ2nN8kYb1C0m5t7w",
    "client_id": "backend",
    "outcome": "success",
    "reason": "SIGNED_OUT",
    "ip_address": "192.0.2.1",
}
"""The variables of a webhook, each with an example."""


class TemplateInvalidError(ArgusError):
    """The template can't be used."""

    def __init__(self, field: str, message: str, *, cause: Cause, line: int = 0, known: str = "") -> None:
        metadata = {"cause": cause, "line": str(line) if line else "", "known": known}
        super().__init__(
            Code.INVALID_ARGUMENT,
            ErrorReason.ERROR_REASON_TEMPLATE_INVALID,
            f"template.{field}: {f'line {line}: ' if line else ''}{message}",
            field=f"template.{field}",
            retry_after=None,
            **{name: value for name, value in metadata.items() if value},
        )


class TemplateNotFoundError(ArgusError):
    """The tenant has no such template of its own."""

    def __init__(self, notice: str, medium: Medium, locale: str) -> None:
        super().__init__(
            Code.NOT_FOUND,
            ErrorReason.ERROR_REASON_TEMPLATE_NOT_FOUND,
            f"the tenant has no template of its own for {notice} as {medium} in {locale}",
            notice=notice,
            medium=medium,
            locale=locale,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """The words of a notice in one language; `text` of a webhook is a JSON document whose texts are templates."""

    notice: str
    medium: Medium
    locale: str
    subject: str = ""
    text: str = ""
    html: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """What comes of a template."""

    subject: str = ""
    text: str = ""
    html: str = ""


def examples(wording: Wording) -> Mapping[str, str]:
    """The variables that there are for a notice, each with an example.

    Raises:
        TemplateInvalidError: There is no such notice.
    """
    if wording.medium == "webhook":
        if wording.notice not in EVENT_TYPES:
            raise TemplateInvalidError("notice", "must be the type of an event", cause="NOT_ALLOWED")
        return {**EVENT_EXAMPLES, "type": wording.notice}
    if wording.notice not in MAIL_EXAMPLES:
        known = ", ".join(sorted(MAIL_EXAMPLES))
        raise TemplateInvalidError("notice", f"must be one of {known}", cause="NOT_ALLOWED", known=known)
    return MAIL_EXAMPLES[wording.notice]


def check(wording: Wording) -> None:
    """Refuses what could not be rendered for each and every reader.

    Raises:
        TemplateInvalidError: It names the field, the line and the cause.
    """
    known = examples(wording)
    if wording.locale not in LOCALES:
        raise TemplateInvalidError("locale", f"must be one of {', '.join(LOCALES)}", cause="NOT_ALLOWED")
    for field, most in (("subject", MAX_SUBJECT), ("text", MAX_TEXT), ("html", MAX_TEXT)):
        if len(getattr(wording, field)) > most:
            raise TemplateInvalidError(field, f"must have at most {most} characters", cause="TOO_LONG")
    if wording.medium == "webhook":
        if wording.subject or wording.html:
            raise TemplateInvalidError("subject", "a webhook has a text alone", cause="NOT_ALLOWED")
        for source in _texts(_document(wording.text)):
            _check_source("text", source, known)
        _check_rendering(wording, known)
        return
    if not wording.subject.strip() or not wording.text.strip():
        raise TemplateInvalidError("text", "a mail has a subject and a text", cause="NOT_ALLOWED")
    for field in ("subject", "text", "html"):
        _check_source(field, getattr(wording, field), known)
    _check_rendering(wording, known)


def render(wording: Wording, variables: Mapping[str, str]) -> Rendered:
    """The words for these variables; one that is not among them is empty."""
    names = dict.fromkeys(examples(wording), "") | {name: str(value) for name, value in variables.items()}
    if wording.medium == "webhook":
        body = _filled(_document(wording.text), lambda source: _PLAIN.from_string(source).render(names))
        return Rendered(text=json.dumps(body, ensure_ascii=False))
    return Rendered(
        subject=" ".join(_PLAIN.from_string(wording.subject).render(names).split()),
        text=_PLAIN.from_string(wording.text).render(names).strip() + "\n",
        html=_HTML.from_string(wording.html).render(names).strip() if wording.html else "",
    )


def _environment(*, is_html: bool) -> ImmutableSandboxedEnvironment:
    made = ImmutableSandboxedEnvironment(
        autoescape=is_html, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    made.globals.clear()
    made.filters = {name: found for name, found in made.filters.items() if name in _FILTERS}
    return made


_PLAIN: Final = _environment(is_html=False)
_HTML: Final = _environment(is_html=True)


def _check_source(field: str, source: str, known: Mapping[str, str]) -> None:
    try:
        tree = _PLAIN.parse(source)
    except TemplateSyntaxError as error:
        raise TemplateInvalidError(field, error.message or "syntax", cause="SYNTAX", line=error.lineno) from None
    except RecursionError:
        raise TemplateInvalidError(field, "is nested too deeply", cause="SYNTAX") from None
    for node in _all_nodes(tree):
        if not isinstance(node, _NODES) or (isinstance(node, nodes.Filter) and node.name not in _FILTERS):
            what = f"the filter {node.name}" if isinstance(node, nodes.Filter) else type(node).__name__.lower()
            allowed = "variables, if, and the filters " + ", ".join(sorted(_FILTERS))
            raise TemplateInvalidError(
                field, f"{what} is not allowed; there are {allowed}", cause="NOT_ALLOWED", line=node.lineno
            )
        _check_node(field, node)
        if isinstance(node, nodes.Operand) and node.op not in _OPERATORS:
            raise TemplateInvalidError(field, "only == and != compare", cause="NOT_ALLOWED", line=node.lineno)
        if isinstance(node, nodes.Name) and node.name not in known:
            names = ", ".join(sorted(known))
            raise TemplateInvalidError(
                field,
                f"there is no variable {node.name}; there are {names}",
                cause="UNKNOWN_VARIABLE",
                line=node.lineno,
                known=names,
            )


def _check_node(field: str, node: nodes.Node) -> None:
    """Refuses what fails where it is reached, which no example may do: filters' arguments, texts that can't be sent."""
    if isinstance(node, nodes.Filter):
        is_default = node.name == "default" and len(node.args) <= len(_OF_DEFAULT)
        fits = all(
            isinstance(one, nodes.Const) and isinstance(one.value, kind)
            for one, kind in zip(node.args, _OF_DEFAULT, strict=False)
        )
        if node.kwargs or node.dyn_args or node.dyn_kwargs or (node.args and not (is_default and fits)):
            said = "only default has arguments: a text in quotes, and true for what is empty, too"
            raise TemplateInvalidError(field, said, cause="NOT_ALLOWED", line=node.lineno)
    written = node.value if isinstance(node, nodes.Const) else node.data if isinstance(node, nodes.TemplateData) else ""
    if isinstance(written, str) and not _is_text(written):
        raise TemplateInvalidError(field, "has half a character (a lone surrogate)", cause="SYNTAX", line=node.lineno)


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _check_rendering(wording: Wording, known: Mapping[str, str]) -> None:
    """Renders it with all variables, and with none: what fails for a value of some kind fails now."""
    for variables in (known, {}):
        try:
            render(wording, variables)
        except Exception as error:  # noqa: BLE001  # whatever a filter says against its arguments
            raise TemplateInvalidError("text", f"can't be rendered: {error}", cause="SYNTAX") from None


def _all_nodes(tree: nodes.Node) -> Iterator[nodes.Node]:
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        waiting += node.iter_child_nodes()


def _document(text: str) -> Any:
    try:
        document = json.loads(text)
        # What Python reads and no one else: numbers that JSON lacks, halves of characters.
        json.dumps(document, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):
        raise TemplateInvalidError("text", "must be a JSON document", cause="NOT_JSON") from None
    return document


def _texts(value: Any, depth: int = 0) -> Iterator[str]:
    """The texts of a document, which are templates; names of members are not."""
    if depth > _DEEPEST:
        raise TemplateInvalidError("text", f"must not be nested more than {_DEEPEST} deep", cause="NOT_JSON")
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _texts(one, depth + 1)


def _filled(value: Any, fill: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return fill(value)
    if isinstance(value, list):
        return [_filled(one, fill) for one in value]
    return {name: _filled(one, fill) for name, one in value.items()} if isinstance(value, dict) else value
