"""Which forms are let in, and which bodies are read."""

import pytest
from starlette.requests import Request

from argus.base.errors import InvalidFieldError
from argus.web.browser import bodies
from argus.web.browser.csrf import CrossSiteRequestError, SameOrigin, origin_of_url

OURS = "https://id.example.com"
FORM = {
    "origin": OURS,
    "content-type": "application/x-www-form-urlencoded",
    "sec-fetch-site": "same-origin",
    "sec-fetch-mode": "navigate",
}


def request(headers: dict[str, str]) -> Request:
    named = [(name.encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": "POST", "headers": named})


def test_a_form_of_ours_is_let_in() -> None:
    SameOrigin([OURS]).check_form(request(FORM))
    old = {name: value for name, value in FORM.items() if not name.startswith("sec-")}
    SameOrigin([OURS]).check_form(request(old))


@pytest.mark.parametrize(
    ("changed", "check"),
    [
        ({"origin": "null"}, "ORIGIN"),
        ({"origin": "https://evil.example"}, "ORIGIN"),
        ({"origin": ""}, "ORIGIN"),
        ({"sec-fetch-site": "cross-site"}, "FETCH_SITE"),
        ({"sec-fetch-site": "same-site"}, "FETCH_SITE"),
        ({"sec-fetch-mode": "no-cors"}, "FETCH_MODE"),
        ({"sec-fetch-mode": "cors"}, "FETCH_MODE"),
        ({"content-type": "text/plain"}, "CONTENT_TYPE"),
        ({"content-type": "multipart/form-data; boundary=a"}, "CONTENT_TYPE"),
    ],
)
def test_others_are_not(changed: dict[str, str], check: str) -> None:
    with pytest.raises(CrossSiteRequestError) as refused:
        SameOrigin([OURS]).check_form(request(FORM | changed))
    assert refused.value.metadata == {"check": check}


def test_a_form_without_origin_is_not() -> None:
    bare = {name: value for name, value in FORM.items() if name != "origin"}
    with pytest.raises(CrossSiteRequestError):
        SameOrigin([OURS]).check_form(request(bare))


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://id.example.com", "https://id.example.com"),
        ("https://ID.example.com:443/base", "https://id.example.com"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://[::1]:80", "http://[::1]"),
        ("https://id.example.com:80", "https://id.example.com:80"),
    ],
)
def test_an_origin_is_as_browsers_write_it(url: str, origin: str) -> None:
    assert origin_of_url(url) == origin


@pytest.mark.parametrize(
    "content",
    [b"[]", b'"a"', b"{", b'{"a":1,"a":2}', b'{"b":1}', b'{"a":NaN}', b"\xff", b'{"a":' + b"[" * 20_000, b"null"],
)
def test_bodies_that_are_refused(content: bytes) -> None:
    with pytest.raises(InvalidFieldError):
        bodies.members(content, ["a"])


def test_no_body_is_an_empty_one() -> None:
    assert bodies.members(b"", ["a"]) == {}
    assert bodies.members(b"{}", ["a"]) == {}


@pytest.mark.parametrize("value", [1, True, [], {}, "a\tb", "\ud800", "x" * 11])
def test_texts_that_are_refused(value: object) -> None:
    with pytest.raises(InvalidFieldError):
        bodies.text({"a": value}, "a", 10)
