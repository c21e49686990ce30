"""Where `argus dev` says that it is."""

from typing import Any

import pytest

from argus.base.settings import Settings
from argus.server.dev import with_base_url


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, "http://localhost:8080"),
        ({"http_listen": "127.0.0.1:6001"}, "http://localhost:6001"),
        ({"http_listen": "[::1]:6001"}, "http://localhost:6001"),
        ({"http_listen": "127.0.0.1:6001", "base_url": "http://argus.test:6001"}, "http://argus.test:6001"),
        # Nobody can tell by which port others reach it.
        ({"http_listen": "127.0.0.1:0"}, "http://localhost:8080"),
    ],
)
def test_it_is_where_it_listens_unless_somebody_says_otherwise(given: dict[str, Any], expected: str) -> None:
    settings = Settings.load(environ={}, flags=given)
    assert with_base_url(settings).base_url == expected
