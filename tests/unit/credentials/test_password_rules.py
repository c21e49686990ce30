"""NIST SP 800-63B-4, 3.1.1.2."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argus.credentials.model import PasswordRefusedError, check_password

PRINTABLE = st.text(st.characters(exclude_categories=("Cc", "Cs", "Cn")), max_size=80)


def refusal(password: str, **rules: object) -> dict[str, str]:
    """What a refused password is told."""
    with pytest.raises(PasswordRefusedError) as refused:
        check_password(password, **rules)  # type: ignore[arg-type]
    return refused.value.metadata


@given(PRINTABLE, st.sampled_from([8, 15]))
def test_nist_800_63b_3_1_1_2_length_counts_code_points_of_nfc(password: str, minimum: int) -> None:
    """Too short is what has fewer code points in NFC than the minimum, and nothing else is."""
    is_short = len(unicodedata.normalize("NFC", password)) < minimum
    try:
        check_password(password, minimum=minimum)
        rule = ""
    except PasswordRefusedError as error:
        rule = error.metadata["rule"]
    assert (rule == "TOO_SHORT") == is_short


@given(PRINTABLE)
def test_the_same_password_in_any_normal_form_is_the_same(password: str) -> None:
    """A keyboard that composes and one that does not type the same password."""
    try:
        expected = check_password(password, minimum=0)
    except PasswordRefusedError:
        return
    assert check_password(unicodedata.normalize("NFD", password), minimum=0) == expected


def test_lengths_at_their_edges() -> None:
    """15 alone, 8 beside a second factor, 1024 bytes at most; at least 64 characters are taken."""
    assert refusal("aB3$efgh1jklmn") == {"field": "password", "rule": "TOO_SHORT", "minLength": "15"}
    assert check_password("aB3$efgh1jklmno")
    assert refusal("aB3$ef7", minimum=8)["minLength"] == "8"
    assert check_password("aB3$ef7h", minimum=8)
    # Code points, not bytes: 15 of four bytes each.
    assert check_password("🐘🐎🐍🐢🐬🐙🐝🦋🐌🐞🦂🦀🐡🐠🐟")
    longest = "".join(chr(ord("a") + number % 26) + str(number) for number in range(1000))[:1024]
    assert check_password(longest) == longest
    assert refusal(longest + "x") == {"field": "password", "rule": "TOO_LONG", "maxLength": "1024"}


@pytest.mark.parametrize(
    "password", ["correct horse\nbattery staple", "correct horse\x00battery staple", "a" * 14 + "\ud800"]
)
def test_what_is_not_text_is_refused(password: str) -> None:
    """Control characters and halves of surrogate pairs."""
    assert refusal(password)["rule"] == "NOT_UNICODE"


@pytest.mark.parametrize(
    "password",
    [
        "password",
        "PassWord",
        "iloveyou",
        "michelle",
        "administration",
        "aaaaaaaaaaaaaaaa",
        "abcabcabcabcabc",
        "passwordpassword",
    ],
)
def test_the_blocklist_is_for_the_whole_password(password: str) -> None:
    """Common passwords, words and names, whatever their case, and what only repeats them."""
    assert refusal(password, minimum=8)["rule"] == "BLOCKLISTED"


@pytest.mark.parametrize(
    "password", ["password of mine, in Rome", "michelle ate 7 green pears", "correct horse battery"]
)
def test_a_listed_word_in_a_longer_password_is_fine(password: str) -> None:
    """No composition rules: passphrases are made of words."""
    assert check_password(password) == password


def test_a_refusal_does_not_repeat_the_password() -> None:
    """Nothing secret is written down."""
    with pytest.raises(PasswordRefusedError) as refused:
        check_password("canary-7Qz")
    assert "canary" not in f"{refused.value} {refused.value.metadata}"


CONTEXT = ["alice.miller@example.com", "+4930123456", "acme"]


@pytest.mark.parametrize(
    "password",
    [
        "alice.miller@example.com",
        "Alice.Miller@Example.COM1",
        "alice.miller2026!",
        "acme-alice-2026",
        "+4930123456+4930123456",
        "1acme2acme3acme4",
    ],
)
def test_the_users_own_words_are_no_password(password: str) -> None:
    """What is little more than identifiers or the service's name is refused with that reason."""
    assert refusal(password, context=CONTEXT)["rule"] == "CONTAINS_IDENTIFIER"


def test_an_own_word_in_a_longer_password_is_fine() -> None:
    """A word of the context does not spoil what would be good without it."""
    password = "alice counts 17 blue kites"
    assert check_password(password, context=CONTEXT) == password
