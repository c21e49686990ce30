"""The cookies of Argus. Nothing else writes `Set-Cookie`, and nothing else reads a cookie.

All are host-only (`__Host-`: Secure, Path=/, no Domain), HttpOnly, and have at most 4096 bytes. A name ends in the
tenant's id: tenants of one installation share a host, and to sign in to one is no reason to be signed out of another.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal

from starlette.requests import Request
from starlette.responses import Response

SameSite = Literal["Strict", "Lax"]

MOST_BYTES: Final = 4096
"""Name and value together (RFC 6265bis, section 5.6)."""
LONGEST_LIFE: Final = timedelta(days=400)
"""What browsers cut longer lives to."""

# RFC 6265, section 4.1.1.
_VALUE: Final = re.compile(r"[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*")
_TENANT: Final = re.compile(r"[a-z][a-z0-9-]{0,30}")


class CookieRefusedError(ValueError):
    """A value can't be a cookie's: a defect of whoever made it, for nothing of a stranger's becomes one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of cookie.

    Attributes:
        name: After `__Host-argus_`.
        same_site: Whether it comes along where a link of another site leads here.
        life: How long browsers keep it; None: until they are closed, or as long as its token lives.
    """

    name: str
    same_site: SameSite
    life: timedelta | None = None

    def of(self, tenant_id: str) -> str:
        """Its full name in a tenant."""
        if not _TENANT.fullmatch(tenant_id):
            raise CookieRefusedError("that is no tenant's id")
        return f"__Host-argus_{self.name}.{tenant_id}"


REFRESH: Final = Kind(name="rt", same_site="Strict")
"""The refresh token: only requests of Argus's own pages carry it."""
ACCESS: Final = Kind(name="at", same_site="Lax")
"""The access token: a page that a link leads to knows who is there. GET changes nothing."""
DEVICE: Final = Kind(name="device", same_site="Strict", life=LONGEST_LIFE)
"""Says that the user was here before: evidence, no proof."""
LOGIN: Final = Kind(name="login", same_site="Lax", life=timedelta(minutes=10))
"""The secret of a sign-in or step-up in progress."""
LANGUAGE: Final = Kind(name="lang", same_site="Lax", life=LONGEST_LIFE)
"""The language that the reader of pages chose."""

KINDS: Final = (REFRESH, ACCESS, DEVICE, LOGIN, LANGUAGE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A cookie to be set, or to be forgotten.

    Attributes:
        value: None: forget it.
        life: In the place of the kind's.
        same_site: In the place of the kind's.
    """

    kind: Kind
    value: str | None
    life: timedelta | None = None
    same_site: SameSite | None = None


class Cookies:
    """The cookies of one tenant in a browser."""

    def __init__(self, tenant_id: str, *, is_partitioned: bool = False) -> None:
        """Takes whose cookies they are.

        Args:
            tenant_id: The tenant.
            is_partitioned: Browsers keep a jar for each site that embeds the application (CHIPS), and send the cookies
                there: SameSite would keep them back. Nobody else's page has that jar.
        """
        self._tenant_id = tenant_id
        self._is_partitioned = is_partitioned

    def read(self, request: Request) -> dict[Kind, str]:
        """The cookies of the tenant that a request has.

        One that is there twice counts as none: whoever can add a second one is not the browser's owner.
        """
        names = {kind.of(self._tenant_id): kind for kind in KINDS}
        found: dict[Kind, str] = {}
        twice: set[Kind] = set()
        for name, value in _pairs(request.headers.getlist("cookie")):
            kind = names.get(name)
            if kind is None:
                continue
            if kind in found:
                twice.add(kind)
            found[kind] = value
        return {kind: value for kind, value in found.items() if kind not in twice and value}

    def write(self, response: Response, changes: Sequence[Change]) -> None:
        """Adds a `Set-Cookie` for each change.

        Raises:
            CookieRefusedError: A value has what no cookie may have, or is too long.
        """
        for change in changes:
            response.headers.append("set-cookie", self._header(change))

    def _header(self, change: Change) -> str:
        kind, value = change.kind, change.value
        name = kind.of(self._tenant_id)
        if value is not None and not _VALUE.fullmatch(value):
            raise CookieRefusedError(f"the value of {name} has a character that no cookie may have")
        if len(name) + len(value or "") > MOST_BYTES:
            raise CookieRefusedError(f"{name} would have more than {MOST_BYTES} bytes")
        parts = [f"{name}={value or ''}", "Path=/", "Secure", "HttpOnly"]
        parts += (
            ["SameSite=None", "Partitioned"]
            if self._is_partitioned
            else [f"SameSite={change.same_site or kind.same_site}"]
        )
        life = timedelta(0) if value is None else change.life or kind.life
        if life is not None:
            parts.append(f"Max-Age={int(min(life, LONGEST_LIFE).total_seconds())}")
        return "; ".join(parts)


def _pairs(headers: Iterable[str]) -> Iterable[tuple[str, str]]:
    """Names and values of `Cookie`, which HTTP/2 may have cut into several."""
    for header in headers:
        for pair in header.split(";"):
            # Only what browsers take for space: to them, NBSP in front makes a name that has no prefix.
            name, _, value = pair.strip(" \t").partition("=")
            yield name, value
