"""Puts refusals into words of the reader's language, with what to do next."""

from typing import Final

from argus.base.errors import ArgusError, Code
from argus.web.browser.bodies import BodyTooLongError
from argus.web.browser.problems import STATUS, reason_of, wait_of
from argus.web.pages.locale import Locale
from argus.web.pages.render import Reader, with_onward

_TOO_LONG: Final = 413
_RULE: Final = "rule"
# What is said where a reason has no words of its own.
_OF_CODE: Final = {
    Code.NOT_FOUND: "error.NOT_FOUND",
    Code.RESOURCE_EXHAUSTED: "error.OVERLOADED",
    Code.UNAVAILABLE: "error.UNAVAILABLE",
    Code.DEADLINE_EXCEEDED: "error.UNAVAILABLE",
}
_TO_SIGN_IN: Final = frozenset(
    {
        "LOGIN_NOT_FOUND",
        "LOGIN_COMPLETE",
        "SESSION_ENDED",
        "TOKEN_INVALID",
        "REGISTRATION_CLOSED",
        "USER_DISABLED",
        "PASSWORD_EXPIRED",
    }
)
# Another try of the same may do.
_PASSING: Final = frozenset({Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED, Code.RESOURCE_EXHAUSTED, Code.INTERNAL})


def said(locale: Locale, error: ArgusError) -> tuple[str, str]:
    """What was refused, and what to do about it."""
    key = _key(locale, error)
    limit = error.metadata.get("minLength", "")
    return locale.text(key), locale.text(f"{key}_advice", seconds=wait_of(error), limit=limit)


def told(reader: Reader, error: ArgusError) -> dict[str, str]:
    """The values of a page that tells of a refusal, and leads on."""
    heading, text = said(reader.locale, error)
    return {"heading": heading.rstrip("."), "text": text, **_way_on(reader, error)}


def told_of(reader: Reader, key: str, *, leads_home: bool) -> dict[str, str]:
    """The values of a page that tells of something by its key."""
    text = reader.locale.text
    home = {"path": f"{reader.root}/account", "label": text("go_account")} if leads_home else {"path": "", "label": ""}
    return {"heading": text(key), "text": text(f"{key}_advice"), **home}


def status_of(error: ArgusError) -> int:
    """The status of a page that tells of a refusal."""
    return _TOO_LONG if isinstance(error, BodyTooLongError) else STATUS[error.code]


def _key(locale: Locale, error: ArgusError) -> str:
    if isinstance(error, BodyTooLongError):
        return "error.TOO_LONG"
    key = f"error.{reason_of(error)}"
    ruled = f"{key}_{error.metadata.get(_RULE, '')}"
    if locale.known(ruled):
        return ruled
    return key if locale.known(key) else _OF_CODE.get(error.code, "error.other")


def _way_on(reader: Reader, error: ArgusError) -> dict[str, str]:
    text, request = reader.locale.text, reader.request
    if error.code in _PASSING and request.method == "GET":
        query = f"?{request.url.query}" if request.url.query else ""
        return {"path": request.url.path + query, "label": text("try_again")}
    if not reader.tenant.tenant_id:
        return {"path": "", "label": ""}
    if reason_of(error) in _TO_SIGN_IN:
        path = with_onward(f"{reader.root}/sign-in", reader.onward)
        return {"path": path, "label": text("sign_in.action")}
    return {"path": f"{reader.root}/account", "label": text("go_account")}
