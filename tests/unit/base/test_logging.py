"""Logs hold no secret; with redaction off they would, so that the search for them can be trusted."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from argus.base.ids import new_id, new_secret
from argus.base.logging import configure_logging, redact_text

JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl"
PHC = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaGhhc2g"
SECRET = new_secret()


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def logged(*, redact: bool, **values: object) -> str:
    """One line as it is written."""
    stream = io.StringIO()
    configure_logging(json=True, redact=redact, stream=stream)
    structlog.get_logger("test").info("session.ended", **values)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("name", "value", "canary"),
    [
        ("password", "correct horse battery", "horse"),
        ("client_secret", "short", "short"),
        ("authorization", "Bearer x", "Bearer"),
        ("set_cookie", "a=b", "a=b"),
        ("detail", f"token {JWT} refused", JWT),
        ("detail", f"hash {PHC}", "c2FsdHNhbHQ"),
        ("detail", "row $2b$04$DORz0aKh0i8F3NARsBwAMO85uBiuQ/B6Go5Fg4/Occas1lB.G7kSe", "DORz0aKh0i8F"),
        ("detail", "row $scrypt$ln=8,r=8,p=1$wlhLyXmP8b53bm1NKYVQqg$mTpvG8lzuuDk", "mTpvG8lzuuDk"),
        ("detail", "row $pbkdf2-sha256$i=1,l=20$OB+dtnSEXZK8$y5LKPOplRmok7CZp", "y5LKPOplRmok7CZp"),
        ("detail", "row pbkdf2_sha256$1$seasalt$8xBlGd3jVgvJ+92hWPxi5ww", "8xBlGd3jVgvJ"),
        pytest.param("detail", f"secret={SECRET};", SECRET, id="a secret in a text"),
        ("detail", "redis://:hunter2@127.0.0.1:1/0", "hunter2"),
        ("detail", {"inner": [{"refresh_token": "abc-canary"}]}, "abc-canary"),
        ("detail", b"\x00canary", "canary"),
        ("detail", ValueError(JWT), JWT),
    ],
)
def test_secrets_are_redacted_by_name_and_by_shape(name: str, value: object, canary: str) -> None:
    assert canary in logged(redact=False, **{name: value})
    line = logged(redact=True, **{name: value})
    assert canary not in line
    assert json.loads(line)["event"] == "session.ended"


def test_ids_and_public_names_stay() -> None:
    session_id, kid = new_id(), new_secret()
    line = json.loads(
        logged(redact=True, session_id=session_id, kid=kid, name=f"tenants/a/keys/{kid}", token_type="at")
    )
    assert (line["session_id"], line["kid"], line["token_type"]) == (session_id, kid, "at")
    assert line["name"].endswith(kid)


def test_a_traceback_shows_no_secret() -> None:
    stream = io.StringIO()
    configure_logging(json=True, stream=stream)
    try:
        int(JWT)
    except ValueError:
        logging.getLogger("library").exception("failed with %s", SECRET)
    assert JWT not in stream.getvalue()
    assert SECRET not in stream.getvalue()
    assert "ValueError" in stream.getvalue()


def test_a_line_of_a_library_has_the_same_form() -> None:
    stream = io.StringIO()
    configure_logging(json=True, stream=stream)
    logging.getLogger("library").warning("lost %d of %d", 1, 2)
    line = json.loads(stream.getvalue())
    assert (line["event"], line["level"], line["logger"]) == ("lost 1 of 2", "warning", "library")


def test_ordinary_text_is_left_alone() -> None:
    text = "argus.storage.postgres: 3 rows of tenants/a/users/b in 12.5 ms"
    assert redact_text(text) == text
