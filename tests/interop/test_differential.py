"""Mutated tokens before Argus, jsonwebtoken and joserfc; a million of them by `make differential`."""

import secrets
from typing import Any

import pytest

from tests.differential.oracle import Oracle, same
from tests.differential.rules import RULES, Token, broken_by, explains
from tests.differential.run import Report, compare, judge

TOKENS = 5_000


@pytest.fixture(scope="module")
def report() -> Report:
    """What came out for some thousand tokens of a new seed."""
    report, seed = Report(), secrets.randbelow(1 << 32)
    for part in compare(seed, TOKENS):
        report.add(part)
    report.findings = [f"seed {seed}: {finding}" for finding in report.findings]
    return report


@pytest.mark.timeout(900)  # its program may have to be built first
def test_where_argus_accepts_all_do_and_where_others_alone_do_a_rule_says_why(report: Report) -> None:
    """RFC 8725: the findings tell the seed and the number of their token."""
    assert report.findings == []
    assert report.tokens == TOKENS


@pytest.mark.timeout(900)
def test_there_is_something_to_compare(report: Report) -> None:
    """Good tokens, every kind of mutation, and most rules: an empty comparison finds nothing."""
    assert report.accepted > TOKENS / 10
    assert report.whole > TOKENS / 20
    assert len(report.mutations) == 47
    assert min(report.mutations.values()) > TOKENS / 1000
    assert len(report.rules()) > len(RULES) * 3 / 4


WORLD: dict[str, Any] = {"now": 0, "issuer": "i", "audience": "a", "tenant": "t", "access": [], "refresh": []}
TOKEN = "eyJhbGciOiJSUzI1NiJ9.e30.AA"


@pytest.mark.parametrize(
    ("line", "finding"),
    [
        ({"claims": {}, "differs": "", "jsonwebtoken": ""}, "joserfc refuses it"),
        ({"claims": {}, "differs": "", "jsonwebtoken": "no"}, "jsonwebtoken refuses it"),
        ({"claims": {}, "differs": "the claim x", "jsonwebtoken": ""}, "the claim x"),
        ({"claims": {}, "differs": "", "jsonwebtoken": ""}, "breaks the rule: J11 sub"),
        ({"fault": "lifetime", "jsonwebtoken": ""}, "jsonwebtoken alone takes it: no rule explains lifetime"),
        ({"fault": "lifetime", "jsonwebtoken": "no", "mutated": []}, "a good token is refused"),
    ],
)
def test_the_comparison_can_fail(line: dict[str, Any], finding: str) -> None:
    """Each way to disagree is a finding."""
    report = Report()
    whole = {"number": 1, "mutated": ["x"], "type": "at+jwt", "token": TOKEN} | line
    judge(report, Oracle(WORLD), WORLD, whole)
    assert finding in " ".join(report.findings)


def test_a_signature_that_only_others_take_is_never_explained() -> None:
    """But where the token names no key of the ring, of which others try every one."""
    world = WORLD | {"access": [{"kid": "k"}]}
    named = Token("eyJraWQiOiJrIn0.e30.AA", "at+jwt", world)
    assert explains(named, "signature") == ""
    assert explains(Token(TOKEN, "at+jwt", world), "signature") == "J07 the key that kid names"
    assert "J01 a known alg" in broken_by(named)


def test_claims_are_compared_as_json_is_read() -> None:
    """A truth value is no number; 1 and 1.0 are one."""
    assert same({"a": [1, "x", None, 2.5]}, {"a": [1.0, "x", None, 2.5]})
    for ours, theirs in (
        (1, True),
        ("1", 1),
        ([1], [1, 2]),
        ({"a": 1}, {"b": 1}),
        (0.1, 0.10000000000000002),
        (None, 0),
    ):
        assert not same(ours, theirs)
