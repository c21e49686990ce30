"""Long lists: a page at a time, by links alone."""

from typing import Final
from urllib.parse import urlencode

from argus.web.pages.render import Reader

_PARAMETER: Final = "page"
_LONGEST: Final = 1024


def page_token(reader: Reader) -> str:
    """The token of the page that is asked for; "": the first one."""
    return reader.request.query_params.get(_PARAMETER, "")[:_LONGEST]


def older_path(reader: Reader, token: str) -> str:
    """Where the list goes on; "": nowhere."""
    return f"{reader.request.url.path}?{urlencode({_PARAMETER: token})}" if token else ""
