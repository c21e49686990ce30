"""Which languages somebody reads, as far as a tag or a header tells."""

import pytest

from argus.base.errors import InvalidFieldError
from argus.base.languages import accepted, check_locale


@pytest.mark.parametrize(
    ("languages", "expected"),
    [
        ("", []),
        ("de", ["de"]),
        ("de_AT", ["de"]),
        ("zh-Hant-TW", ["zh"]),
        ("fr, de;q=0.8, en;q=0.9", ["fr", "en", "de"]),
        ("de;q=0, en", ["en"]),
        ("de;q=much, en", ["en"]),
        (",".join(["fr"] * 20 + ["de"]), ["fr"] * 20),
    ],
)
def test_the_best_comes_first(languages: str, expected: list[str]) -> None:
    assert accepted(languages) == expected


@pytest.mark.parametrize("locale", ["", "de", "de-AT", "zh-Hant-TW", "sl-rozaj-biske-1994"])
def test_tags_are_taken(locale: str) -> None:
    assert check_locale(locale, field="locale") == locale


@pytest.mark.parametrize("locale", ["d", "de_AT", "de-", "1de", "dé", "de AT", "de\n", "a" * 36])
def test_all_else_is_refused(locale: str) -> None:
    with pytest.raises(InvalidFieldError):
        check_locale(locale, field="locale")
