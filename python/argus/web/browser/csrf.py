"""What keeps other sites out: cookies come along with requests that their pages make, these checks do not let them in.

Three that don't depend on each other: the `Origin` is exactly one of ours; `Sec-Fetch-Site` and `-Mode`, where a
browser sends them, say what a request of ours says; and JSON comes with a header that no form can send and no other
origin may.
SameSite is a fourth, of the cookies themselves.
"""

from collections.abc import Collection, Mapping
from typing import Final, Literal
from urllib.parse import urlsplit

from starlette.requests import Request

from argus.base.errors import ArgusError, Code
from argus.v1.errors_pb2 import ErrorReason

HEADER: Final = "x-argus-csrf"
"""Sent, with any value, by whoever calls the JSON endpoints."""

Check = Literal["ORIGIN", "FETCH_SITE", "FETCH_MODE", "HEADER", "CONTENT_TYPE"]

_SAFE: Final = frozenset({"GET", "HEAD"})
_SCRIPT_MODES: Final = frozenset({"cors", "same-origin"})
_CROSS_ORIGIN_MODES: Final = frozenset({"cors"})
_OWN: Final = frozenset({"same-origin"})
_OTHERS: Final = frozenset({"same-site", "cross-site"})


class CrossSiteRequestError(ArgusError):
    """The request does not show that it comes from a page of ours. Nothing was done."""

    def __init__(self, check: Check) -> None:
        super().__init__(
            Code.PERMISSION_DENIED,
            ErrorReason.ERROR_REASON_CROSS_SITE_REQUEST,
            f"the request does not show that it comes from a page of this site ({check})",
            check=check,
        )


def origin_of_url(url: str) -> str:
    """The origin of an address, as browsers write it: default ports are left out."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    default = {"http": 80, "https": 443}.get(parts.scheme)
    return f"{parts.scheme}://{host}" if parts.port in (None, default) else f"{parts.scheme}://{host}:{parts.port}"


class SameOrigin:
    """Lets only pages of some origins in."""

    def __init__(self, origins: Collection[str], *, applications: Mapping[str, Collection[str]] | None = None) -> None:
        """Takes the origins, as browsers write them.

        Args:
            origins: Argus's own, whose forms and scripts are let in.
            applications: Others whose scripts are, by the tenant whose applications they are.
        """
        self._origins = frozenset(origins)
        self._applications = applications or {}

    def application(self, request: Request) -> str | None:
        """The other origin that a request says it comes from, if its tenant has an application there."""
        said = request.headers.getlist("origin")
        known = self._applications.get(request.path_params.get("tenant_id", ""), ())
        return said[0] if len(said) == 1 and said[0] in known else None

    def check_script(self, request: Request) -> None:
        """Lets a request of a script in: `fetch` with the header, and with JSON if it has a body.

        Raises:
            CrossSiteRequestError: It is not one, or not of a page of ours.
        """
        if self.application(request) is None:
            self._check_origin(request, is_needed=request.method not in _SAFE)
            self._check_fetch(request, sites=_OWN, modes=_SCRIPT_MODES)
        else:
            self._check_fetch(request, sites=_OTHERS, modes=_CROSS_ORIGIN_MODES)
        if HEADER not in request.headers:
            raise CrossSiteRequestError("HEADER")
        if _has_body(request) and _media_type(request) != "application/json":
            raise CrossSiteRequestError("CONTENT_TYPE")

    def check_form(self, request: Request) -> None:
        """Lets a form of ours in.

        The page that has it must not be sent with `Referrer-Policy: no-referrer`: browsers then say `Origin: null`.

        Raises:
            CrossSiteRequestError: It is not one of ours.
        """
        self._check_origin(request, is_needed=True)
        self._check_fetch(request, sites=_OWN, modes=frozenset({"navigate"}))
        if _media_type(request) != "application/x-www-form-urlencoded":
            raise CrossSiteRequestError("CONTENT_TYPE")

    def _check_origin(self, request: Request, *, is_needed: bool) -> None:
        said = request.headers.getlist("origin")
        if not said and not is_needed:
            return  # browsers send none with a GET of the same origin
        if len(said) != 1 or said[0] not in self._origins:
            raise CrossSiteRequestError("ORIGIN")

    @staticmethod
    def _check_fetch(request: Request, *, sites: Collection[str], modes: Collection[str]) -> None:
        """Browsers that are old send neither; `Origin` then has to do."""
        site, mode = request.headers.getlist("sec-fetch-site"), request.headers.getlist("sec-fetch-mode")
        if site and not (len(site) == 1 and site[0] in sites):
            raise CrossSiteRequestError("FETCH_SITE")
        if mode and not (len(mode) == 1 and mode[0] in modes):
            raise CrossSiteRequestError("FETCH_MODE")


def _has_body(request: Request) -> bool:
    return request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()
