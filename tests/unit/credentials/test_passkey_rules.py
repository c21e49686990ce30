"""A tenant's rules for passkeys: what the base URL says, and which ones would be unsafe or could let nobody in."""

from __future__ import annotations

from typing import Any

import pytest

from argus.base.errors import InvalidFieldError
from argus.credentials.passkey_rules.model import PasskeyRules, check_certificate, check_rules, read_aaguid
from tests.support.virtual_authenticator import Maker


@pytest.mark.parametrize(
    ("base_url", "rp_id", "origin"),
    [
        ("https://id.example.com", "id.example.com", "https://id.example.com"),
        ("https://ID.example.com:8443/sub", "id.example.com", "https://id.example.com:8443"),
        ("http://127.0.0.1:8080", "localhost", "http://localhost:8080"),
        ("http://localhost:8080", "localhost", "http://localhost:8080"),
        ("http://[::1]", "localhost", "http://localhost"),
    ],
)
def test_the_base_url_says_what_the_tenant_does_not(base_url: str, rp_id: str, origin: str) -> None:
    rules = PasskeyRules(tenant_id="t").filled_in(base_url)
    assert (rules.rp_id, rules.rp_name, list(rules.origins)) == (rp_id, rp_id, [origin])
    own = PasskeyRules(tenant_id="t", rp_id="example.com", rp_name="Shop", origins=["https://a.example.com"])
    assert own.filled_in(base_url) == own


@pytest.mark.parametrize(
    "origin",
    [
        "https://login.example.com",
        "https://login.example.com:8443",
        "http://localhost:3000",
        "http://localhost",
        "android:apk-key-hash:pNiP5iKyQ8JwgGOaKA1zGPUPJIS-0H1xKCQcfIoGLck",
    ],
)
def test_origins_as_browsers_write_them(origin: str) -> None:
    check_rules(PasskeyRules(tenant_id="t", origins=[origin]))


@pytest.mark.parametrize(
    "origin",
    [
        *("", "login.example.com", "https://", "https://login.example.com/", "https://login.example.com:443"),
        *("https://Login.example.com", "http://login.example.com", "https://*.example.com", "null"),
        *("https://a@login.example.com", "https://login.example.com?", "https://login.example.com:x"),
        *("https://login.example.com#", "https://[::1", "android:apk-key-hash:short", " https://example.com"),
    ],
)
def test_origins_that_no_browser_writes(origin: str) -> None:
    with pytest.raises(InvalidFieldError) as refused:
        check_rules(PasskeyRules(tenant_id="t", origins=["https://example.com", origin]))
    assert refused.value.field == "rules.origins[1]"


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"rp_id": "Example.com"}, "rules.rp_id"),
        ({"rp_id": "https://example.com"}, "rules.rp_id"),
        ({"rp_id": "192.0.2.1"}, "rules.rp_id"),
        ({"rp_name": "x" * 65}, "rules.rp_name"),
        ({"top_origins": ["https://a.example"]}, "rules.top_origins"),
        ({"top_origins": ["android:apk-key-hash:" + "a" * 43]}, "rules.top_origins[0]"),
        ({"origins": ["https://a.example"] * 21}, "rules.origins"),
        ({"attestation": "direct"}, "rules.attestation_roots"),
        ({"attestation_roots": [b"x"]}, "rules.attestation_roots"),
        ({"aaguids": ["x"]}, "rules.aaguids"),
    ],
)
def test_rules_that_are_unsafe_or_let_nobody_in(said: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidFieldError) as refused:
        check_rules(PasskeyRules(tenant_id="t", **said))
    assert refused.value.field == field


def test_certificates_and_makes_are_read() -> None:
    root = Maker().root
    assert check_certificate(root, 0) == root
    with pytest.raises(InvalidFieldError, match=r"attestation_roots\[3\]"):
        check_certificate(root[:-1], 3)
    assert read_aaguid("00010203-0405-0607-0809-0A0B0C0D0E0F", 0) == "00010203-0405-0607-0809-0a0b0c0d0e0f"
    with pytest.raises(InvalidFieldError, match=r"aaguids\[2\]"):
        read_aaguid("no", 2)
