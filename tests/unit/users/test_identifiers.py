import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argus.base.errors import InvalidFieldError
from argus.mail.letters import wire_address
from argus.mail.model import MailRefusedError
from argus.users.model import (
    IdentifierKind,
    NewIdentifier,
    canonical_identifier,
    check_identifier,
    check_identifiers,
)


@given(st.text(max_size=60))
def test_the_canonical_form_is_stable(value: str) -> None:
    """Canonical once, canonical for ever: what is stored is what is looked for."""
    canonical = canonical_identifier(value)
    assert canonical_identifier(canonical) == canonical


@given(st.text(max_size=60))
def test_case_width_and_outer_space_make_no_difference(value: str) -> None:
    """Compared in NFKC and lower case: a user is found however its keyboard writes."""
    assert canonical_identifier(f"  {value}\t") == canonical_identifier(value)
    assert canonical_identifier(unicodedata.normalize("NFD", value)) == canonical_identifier(value)


def test_examples_of_one_identifier() -> None:
    """Full-width letters, ligatures and capitals are the same identifier."""
    assert canonical_identifier("ＡＬＩＣＥ@Example.COM") == "alice@example.com"
    assert canonical_identifier("ﬁona") == canonical_identifier("FIONA")


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("email", "alice@example.com"),
        ("email", "  Alice.B+tag@mail.example.co.uk "),
        ("email", "δοκιμή@παράδειγμα.ελ"),
        ("username", "alice"),
        ("username", "alice.b_c-d9"),
        ("username", "李雷"),
        ("phone", "+4930123456"),
        ("phone", "+14155550123"),
    ],
)
def test_good_identifiers(kind: IdentifierKind, value: str) -> None:
    """What people have is accepted."""
    assert check_identifier(kind, value, field="f") == canonical_identifier(value)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("email", ""),
        ("email", "   "),
        ("email", "alice"),
        ("email", "alice@localhost"),
        ("email", "@example.com"),
        ("email", "a@b@example.com"),
        ("email", "alice@example..com"),
        ("email", "alice@-example.com"),
        ("email", "alice@example.com\n"),
        ("email", "al ice@example.com"),
        ("email", "ali\u200bce@example.com"),
        ("email", "ali\u00adce@example.com"),
        ("email", "ali\u202ece@example.com"),
        ("email", "ali\ufe0fce@example.com"),
        ("email", "ali\U000e0041ce@example.com"),
        ("email", f"{'a' * 65}@example.com"),
        ("email", f"alice@{'a.' * 160}com"),
        ("username", "a@b"),
        ("username", ".alice"),
        ("username", "al ice"),
        ("username", "a" * 65),
        ("username", "ali\u0000ce"),
        ("phone", "030123456"),
        ("phone", "+0123456789"),
        ("phone", "+49 30 123456"),
        ("phone", "+123456"),
        ("phone", "+1234567890123456"),
    ],
)
def test_bad_identifiers_are_refused_by_field(kind: IdentifierKind, value: str) -> None:
    """The refusal names the field."""
    with pytest.raises(InvalidFieldError) as refused:
        check_identifier(kind, value, field="user.identifiers[0].value")
    assert refused.value.field == "user.identifiers[0].value"


def test_a_new_user_has_one_to_ten_different_identifiers() -> None:
    """None, too many, and the same one twice are refused."""
    one = NewIdentifier(kind="email", value="alice@example.com")
    same = NewIdentifier(kind="email", value="ALICE@example.com")
    assert check_identifiers([one]) == ["alice@example.com"]
    for bad, field in (
        ([], "user.identifiers"),
        ([one, same], "user.identifiers[1].value"),
        ([NewIdentifier(kind="username", value=f"u{number}") for number in range(11)], "user.identifiers"),
    ):
        with pytest.raises(InvalidFieldError) as refused:
            check_identifiers(bad)
        assert refused.value.field == field


def test_mail_goes_to_the_domain_that_is_compared() -> None:
    """Else whoever has groß.example could register, and prove to read the mail of, an address of gross.example."""
    assert check_identifier("email", "me@xn--gro-7ka.example", field="f") == "me@xn--gro-7ka.example"
    for value in ("me@groß.example", "me@ςα.example", "me@ẞ.example"):
        with pytest.raises(InvalidFieldError):
            check_identifier("email", value, field="f")
    folded = (chr(code) for code in range(0x80, 0x110000) if canonical_identifier(chr(code)) != chr(code))
    assert [one for one in folded if _is_sent_elsewhere(f"me@a{one}a.example")] == []


def _is_sent_elsewhere(value: str) -> bool:
    try:
        canonical = check_identifier("email", value, field="f")
        return wire_address(value) != wire_address(canonical)
    except (InvalidFieldError, MailRefusedError):
        return False
