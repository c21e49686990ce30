"""Pages of lists."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argus.base.errors import InvalidFieldError, PageTokenInvalidError
from argus.base.pages import decode_page, encode_page, page_size


@pytest.mark.parametrize(("asked", "given_out"), [(0, 25), (1, 1), (100, 100), (101, 100), (2**31 - 1, 100)])
def test_page_sizes(asked: int, given_out: int) -> None:
    assert page_size(asked) == given_out


def test_a_negative_page_size_is_refused() -> None:
    with pytest.raises(InvalidFieldError):
        page_size(-1)


# PostgreSQL has no NUL, so no key has one.
@given(st.text(), st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))))
def test_a_token_leads_back_to_its_key(kind: str, key: list[str]) -> None:
    assert decode_page(kind, encode_page(kind, tuple(key))) == tuple(key)


def test_a_token_is_good_for_its_list_alone() -> None:
    token = encode_page("users:a", ("1",))
    with pytest.raises(PageTokenInvalidError):
        decode_page("users:b", token)


@given(st.text())
def test_anything_else_is_refused_as_a_page_token(text: str) -> None:
    with pytest.raises(PageTokenInvalidError):
        decode_page("users", text)


@given(st.integers(min_value=0), st.integers(min_value=0, max_value=63))
def test_a_damaged_token_is_refused(place: int, letter: int) -> None:
    token = encode_page("users", ("2026-01-01T00:00:00Z", "abc"))
    place %= len(token) - 1
    other = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[letter]
    damaged = token[:place] + other + token[place + 1 :]
    if damaged != token:
        with pytest.raises(PageTokenInvalidError):
            decode_page("users", damaged)
