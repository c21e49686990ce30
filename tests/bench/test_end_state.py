"""A benchmark that measured something else than it says ends: each lie of a server is noticed."""

import base64
import json
from collections.abc import Sequence
from dataclasses import replace

import pytest

from argus.server.bench.hot import Begun, WrongStateError, check_rotated, check_state, check_verified
from argus.v1.token_service_pb2 import RefreshTokenResponse, VerifyAccessTokenResponse
from argus.v1.types_pb2 import TokenSet


def token(**claims: object) -> str:
    """A token that nobody has signed."""
    return f"e30.{base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b'=').decode()}.c2ln"


def session(number: int, *, generation: int = 1) -> Begun:
    """A session, and its tokens."""
    tokens = TokenSet(
        access_token=token(jti=f"a{number}-{generation}"),
        refresh_token=token(sid=f"s{number}", gen=generation),
    )
    return Begun.of(f"users/u/sessions/s{number}", tokens)


BEFORE = [session(number) for number in range(3)]
AFTER = [session(number, generation=2) for number in range(3)]


def refreshed(sessions: Sequence[Begun]) -> list[bytes]:
    """What a server says that made these."""
    return [
        RefreshTokenResponse(
            session=one.name, tokens=TokenSet(access_token=one.access_token, refresh_token=one.refresh_token)
        ).SerializeToString()
        for one in sessions
    ]


def verified(*numbers: int) -> list[bytes]:
    """What a server says that has verified these."""
    return [
        VerifyAccessTokenResponse(session=BEFORE[number].name, jti=f"a{number}-1").SerializeToString()
        for number in numbers
    ]


def test_one_rotation_a_call_is_what_a_refresh_must_have_made() -> None:
    assert check_rotated(BEFORE, refreshed(AFTER)) == AFTER


@pytest.mark.parametrize(
    "after",
    [
        pytest.param([*AFTER[:2], session(2)], id="the same generation again, as within the debounce"),
        pytest.param([*AFTER[:2], session(2, generation=3)], id="two rotations for one call"),
        pytest.param([*AFTER[:2], AFTER[1]], id="the answer of another call"),
        pytest.param([*AFTER[:2], replace(AFTER[2], access_token=AFTER[0].access_token)], id="one access token twice"),
    ],
)
def test_anything_else_ends_the_benchmark(after: Sequence[Begun]) -> None:
    with pytest.raises(WrongStateError):
        check_rotated(BEFORE, refreshed(after))


def test_the_store_must_say_what_the_tokens_say() -> None:
    check_state(AFTER, [2, 2, 2])
    with pytest.raises(WrongStateError, match="the token says generation 2, the store 1"):
        check_state(AFTER, [2, 1, 2])


def test_each_answer_must_speak_of_the_token_that_was_shown() -> None:
    check_verified(BEFORE, verified(0, 1, 2, 0, 1))
    with pytest.raises(WrongStateError, match="call 1 "):
        check_verified(BEFORE, verified(0, 0, 2))
