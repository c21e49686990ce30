"""Languages, as browsers and people name them."""

import re
from collections.abc import Sequence
from typing import Final

from argus.base.errors import InvalidFieldError

MAX_LOCALE: Final = 35
"""Characters of a locale; BCP 47 (RFC 5646, 4.4.1) wants room for as many."""
MAX_ACCEPTED: Final = 256
"""Bytes of an Accept-Language header that are looked at."""

_MOST_RANGES: Final = 20
_TAG: Final = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*", re.ASCII)


def accepted(languages: str) -> Sequence[str]:
    """Languages in their reader's order, the best first, in lower case and without region or script.

    Args:
        languages: A tag ("de-AT", "de_AT"), or an Accept-Language header (RFC 9110, 12.5.4).
    """
    ranges = [_weighted(one) for one in languages.split(",")[:_MOST_RANGES]]
    wanted = sorted((one for one in ranges if one[0] > 0 and one[1]), key=lambda one: -one[0])
    return [tag.replace("_", "-").partition("-")[0].lower() for _, tag in wanted]


def check_locale(locale: str, *, field: str) -> str:
    """A locale that a user can have; empty: none.

    Raises:
        InvalidFieldError: It is no tag of a language.
    """
    if locale and (len(locale) > MAX_LOCALE or not _TAG.fullmatch(locale)):
        raise InvalidFieldError(field, 'must be a language tag such as "de" or "de-AT" (BCP 47)')
    return locale


def _weighted(item: str) -> tuple[float, str]:
    tag, _, parameter = item.strip().partition(";")
    weight = parameter.strip().removeprefix("q=") or "1"
    try:
        return float(weight), tag.strip()
    except ValueError:
        return 0.0, tag
