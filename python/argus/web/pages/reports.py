"""Takes what browsers report of violations of the pages' policy (ASVS 5.0, 3.4.7): for the log, and nothing else.

Anybody can send anything there: little is read, less is written down, and not often.
"""

import json
import re
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from argus.base.clock import Now
from argus.base.errors import InvalidFieldError
from argus.web.browser import bodies

PATH: Final = "/csp-reports"

log = structlog.get_logger(__name__)

_DIRECTIVE: Final = re.compile(r"[a-z-]{1,40}")
_MOST: Final = 20
_WITHIN: Final = timedelta(minutes=1)
_LONGEST: Final = 200


class PolicyReports:
    """The reports of all browsers."""

    def __init__(self, *, now: Now) -> None:
        self._now = now
        self._began: datetime | None = None
        self._count = 0

    def routes(self) -> list[Route]:
        """Where they are sent."""
        return [Route(PATH, self._take, methods=["POST"])]

    async def _take(self, request: Request) -> Response:
        try:
            told = _told(await bodies.read(request))
        except (InvalidFieldError, ValueError, RecursionError):
            told = None
        if told is not None and self._may_log():
            log.warning("page.policy_violated", **told)
        return Response(status_code=204)

    def _may_log(self) -> bool:
        now = self._now()
        if self._began is None or now - self._began >= _WITHIN:
            self._began, self._count = now, 0
        self._count += 1
        return self._count <= _MOST


def _told(body: bytes) -> dict[str, str] | None:
    """What is worth knowing: which rule, on which page, by whom; no queries, which may hold what is nobody's affair."""
    found = json.loads(body)
    report: Any = found.get("csp-report") if isinstance(found, dict) else None
    if not isinstance(report, dict):
        return None
    directive = str(report.get("effective-directive") or report.get("violated-directive") or "").partition(" ")[0]
    if not _DIRECTIVE.fullmatch(directive):
        return None
    blocked = str(report.get("blocked-uri", ""))
    return {
        "directive": directive,
        "page": urlsplit(str(report.get("document-uri", ""))).path[:_LONGEST],
        # Inline code and sinks of text have a word in its place.
        "blocked": (urlsplit(blocked).netloc or blocked.partition(":")[0].partition("?")[0])[:_LONGEST],
    }
