"""Templates of tenants: data and no programs; what could not be rendered for everybody is refused when written."""

import json
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argus.flows.accounts.notices import TOLD
from argus.mail.model import TEMPLATES
from argus.notifications.preferences.model import OPTIONAL, REQUIRED
from argus.notifications.wordings.model import (
    EVENT_EXAMPLES,
    MAIL_EXAMPLES,
    Cause,
    TemplateInvalidError,
    Wording,
    check,
    render,
)


def mail(text: str, *, notice: str = "new_device", locale: str = "en", subject: str = "Hi", html: str = "") -> Wording:
    """A mail of a new device."""
    return Wording(notice=notice, medium="mail", locale=locale, subject=subject, text=text, html=html)


def hook(text: str, *, notice: str = "session.ended", subject: str = "") -> Wording:
    """The body of a webhook."""
    return Wording(notice=notice, medium="webhook", locale="en", subject=subject, text=text)


def test_every_mail_has_its_variables_and_every_notice_a_preference() -> None:
    assert MAIL_EXAMPLES.keys() == set(TEMPLATES)
    assert set(TOLD.values()) == REQUIRED | OPTIONAL.keys()
    assert not REQUIRED & OPTIONAL.keys()


@pytest.mark.parametrize(
    ("source", "cause"),
    [
        ("{{ device", "SYNTAX"),
        ("{% if device %}", "SYNTAX"),
        ("{{ password }}", "UNKNOWN_VARIABLE"),
        ("{{ code }}", "UNKNOWN_VARIABLE"),
        ("{{ self }}", "UNKNOWN_VARIABLE"),
        ("{{ device.__class__ }}", "NOT_ALLOWED"),
        ("{{ device['x'] }}", "NOT_ALLOWED"),
        ("{{ ''.__class__.__mro__ }}", "NOT_ALLOWED"),
        ("{{ device() }}", "NOT_ALLOWED"),
        ("{{ range(10) }}", "NOT_ALLOWED"),
        ("{{ device * 100000000 }}", "NOT_ALLOWED"),
        ("{{ device ~ device }}", "NOT_ALLOWED"),
        ("{{ device | attr('x') }}", "NOT_ALLOWED"),
        ("{{ device | safe }}", "NOT_ALLOWED"),
        ("{{ device | center(100000000) }}", "NOT_ALLOWED"),
        ("{% if by == 'service' %}{{ by | trim(3) }}{% endif %}", "NOT_ALLOWED"),
        ("{% if by == 'service' %}{{ device | lower('x') }}{% endif %}", "NOT_ALLOWED"),
        ("{{ device | default(by) }}", "NOT_ALLOWED"),
        ("{{ device | default(default_value='x') }}", "NOT_ALLOWED"),
        ("{{ device | default('x', true, 1) }}", "NOT_ALLOWED"),
        (r"{% if by == 'service' %}{{ '\ud800' }}{% endif %}", "SYNTAX"),
        ("{% for x in device %}{{ x }}{% endfor %}", "NOT_ALLOWED"),
        ("{% set x = device %}", "NOT_ALLOWED"),
        ("{% include 'new_device.en.j2' %}", "NOT_ALLOWED"),
        ("{% extends '_html.j2' %}", "NOT_ALLOWED"),
        ("{% import 'x' as x %}", "NOT_ALLOWED"),
        ("{% macro m() %}{% endmacro %}", "NOT_ALLOWED"),
        ("{% raw %}{% endraw %}{{ lipsum }}", "UNKNOWN_VARIABLE"),
        ("{{ device if device is defined }}", "NOT_ALLOWED"),
        ("{{ device > 5 }}", "NOT_ALLOWED"),
        ("{{ 1 in device }}", "NOT_ALLOWED"),
        ("x" * 8001, "TOO_LONG"),
    ],
)
@pytest.mark.parametrize("field", ["text", "html"])
def test_what_may_not_stand_in_a_template(source: str, cause: str, field: str) -> None:
    with pytest.raises(TemplateInvalidError) as refused:
        check(mail(**({"text": "x"} | {field: source})))
    assert (refused.value.metadata["cause"], refused.value.field) == (cause, f"template.{field}")
    if cause == "UNKNOWN_VARIABLE":
        assert "device" in refused.value.metadata["known"]


def test_a_refusal_says_the_line() -> None:
    with pytest.raises(TemplateInvalidError, match="line 3: there is no variable devise") as refused:
        check(mail("One\ntwo\n{{ devise }}"))
    assert refused.value.metadata["line"] == "3"
    assert set(get_args(Cause)) >= {refused.value.metadata["cause"]}


@pytest.mark.parametrize(
    "wording",
    [
        mail("x", notice="nothing"),
        mail("{{ device | trim(5) }}"),
        mail("{{ device | upper('x') }}"),
        mail("x", locale="fr"),
        mail("", subject="x"),
        mail("x", subject=" "),
        hook("no json"),
        hook('{"text": "{{ nothing }}"}'),
        hook("[" * 5000),
        hook('{"a": ' * 30 + "1" + "}" * 30),
        hook('"x"', notice="session.nothing"),
        hook('"x"', subject="x"),
        hook(r'{"text": "\ud800 {{ user_id }}"}'),
        hook(r'{"\ud800": "x"}'),
        hook('{"a": NaN}'),
        hook('{"a": [1e999]}'),
    ],
)
def test_what_is_no_template_at_all(wording: Wording) -> None:
    with pytest.raises(TemplateInvalidError):
        check(wording)


def test_what_comes_of_one() -> None:
    words = mail(
        "{% if device %}{{ device }}{% else %}somewhere{% endif %} at {{ tenant | upper }}",
        subject="New:\n {{ device }}",
        html="<p>{{ device }}</p>",
    )
    check(words)
    rendered = render(words, {"device": "<b>\n", "tenant": "acme"})
    assert (rendered.subject, rendered.text) == ("New: <b>", "<b>\n at ACME\n")
    assert rendered.html == "<p>&lt;b&gt;\n</p>"
    assert render(words, {"tenant": "acme"}).text == "somewhere at ACME\n"


@given(st.fixed_dictionaries({name: st.text() for name in EVENT_EXAMPLES}))
def test_whatever_a_variable_holds_the_body_stays_the_document_that_was_written(values: dict[str, str]) -> None:
    """A quote in a name ends no text."""
    document: dict[str, Any] = {"text": "{{ user_id }}: {{ reason }}", "more": [1, None, {"at": "{{ time }}"}]}
    words = hook(json.dumps(document))
    check(words)
    wanted = {"text": f"{values['user_id']}: {values['reason']}", "more": [1, None, {"at": values["time"]}]}
    assert json.loads(render(words, values).text) == wanted


@given(st.text(max_size=200))
def test_no_source_makes_more_than_a_refusal(source: str) -> None:
    """And what is taken renders, for empty variables, too."""
    try:
        check(mail(source, subject="x"))
    except TemplateInvalidError:
        return
    render(mail(source), {})
