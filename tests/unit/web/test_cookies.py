"""What the one builder of cookies writes, and reads."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.responses import Response

from argus.web.browser.cookies import ACCESS, KINDS, REFRESH, Change, CookieRefusedError, Cookies, Kind
from tests.support.browsers import SetCookie

_TENANTS = st.from_regex(r"[a-z][a-z0-9-]{0,30}", fullmatch=True)


def written(change: Change, tenant_id: str = "acme") -> list[str]:
    response = Response()
    Cookies(tenant_id).write(response, [change])
    return response.headers.getlist("set-cookie")


def request(*cookies: str) -> Request:
    return Request({"type": "http", "headers": [(b"cookie", one.encode()) for one in cookies]})


@given(
    kind=st.sampled_from(KINDS),
    tenant_id=_TENANTS,
    value=st.text(max_size=5000),
    life=st.none() | st.timedeltas(timedelta(0), timedelta(days=4000)),
)
def test_asvs_3_3_1_to_5_whatever_is_written_keeps_to_the_rules_or_is_refused(
    kind: Kind, tenant_id: str, value: str, life: timedelta | None
) -> None:
    """`SetCookie` asserts them all; the longest name leaves more than 4000 bytes."""
    try:
        (header,) = written(Change(kind=kind, value=value, life=life), tenant_id)
    except CookieRefusedError:
        assert len(value) > 4000 or not value.isascii() or not value.isprintable() or set(value) & set(' ",;\\')
        return
    assert "\r" not in header
    assert "\n" not in header
    found = SetCookie(header)
    assert (found.name, found.value) == (f"__Host-argus_{kind.name}.{tenant_id}", value)


@pytest.mark.parametrize(
    "value", ["a\r\nSet-Cookie: b=c", "a; Domain=example.com", 'a"', "a,b", "a b", "ä", "a\\b", "\x7f"]
)
def test_k01_no_value_becomes_a_second_header_or_attribute(value: str) -> None:
    with pytest.raises(CookieRefusedError):
        written(Change(kind=REFRESH, value=value))


@pytest.mark.parametrize("tenant_id", ["", "A", "a b", "a;b", "a\r\nb", "a=b", "a" * 32])
def test_a_name_is_a_tenants_alone(tenant_id: str) -> None:
    with pytest.raises(CookieRefusedError):
        written(Change(kind=REFRESH, value="x"), tenant_id)


def test_a_cookie_has_4096_bytes_at_most() -> None:
    room = 4096 - len(REFRESH.of("acme"))
    assert written(Change(kind=REFRESH, value="x" * room))
    with pytest.raises(CookieRefusedError):
        written(Change(kind=REFRESH, value="x" * (room + 1)))


def test_what_is_forgotten_has_no_value_and_no_life() -> None:
    (header,) = written(Change(kind=ACCESS, value=None))
    assert header == "__Host-argus_at.acme=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0"


def test_only_the_tenants_own_are_read_however_they_are_cut() -> None:
    """HTTP/2 may send several headers; names of other cases, prefixes and tenants are none."""
    found = Cookies("acme").read(
        request(
            "a=b; __Host-argus_rt.acme=one",
            "__Host-argus_at.acme=t=w=o; __Host-argus_rt.acme2=x; __host-argus_device.acme=x; argus_login.acme=x",
        )
    )
    assert found == {REFRESH: "one", ACCESS: "t=w=o"}


@pytest.mark.parametrize("second", ["__Host-argus_rt.acme=two", "__Host-argus_rt.acme=", "__Host-argus_rt.acme"])
def test_k03_one_that_is_there_twice_is_none(second: str) -> None:
    for order in (["__Host-argus_rt.acme=one", second], [second, "__Host-argus_rt.acme=one"]):
        assert Cookies("acme").read(request("; ".join(order))) == {}
        assert Cookies("acme").read(request(*order)) == {}


@pytest.mark.parametrize("odd", [b"\xa0", b"\x85", b"\x1c", b"\x1f", b"\x0b", b"\x0c"])
def test_k03_what_only_looks_like_space_makes_no_name_ours(odd: bytes) -> None:
    """A sibling domain can set such a name for all: to browsers it does not begin with `__Host-`."""
    name = REFRESH.of("acme").encode()
    told = [(b"cookie", odd + name + b"=planted"), (b"cookie", name + odd + b"=planted")]
    assert Cookies("acme").read(Request({"type": "http", "headers": told})) == {}
    spaced = [(b"cookie", b"a=b;\t " + name + b"=ours")]
    assert Cookies("acme").read(Request({"type": "http", "headers": spaced})) == {REFRESH: "ours"}
