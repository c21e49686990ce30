"""Hot calls: the same verdict, status and details to the byte, whether Rust answers at the door or Python behind it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.rpc import code_pb2

from argus.v1 import token_service_pb2 as tokens
from argus.v1 import types_pb2 as types
from tests.conformance.doors import ENGINE, SERVICE, Door, WireDoor, ask
from tests.support.people import new_person, terminate
from tests.support.presented import RefreshToken, claims_of

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from tests.conformance.doors import Metadata
    from tests.support.stack import Stack

VERIFY, BATCH, REFRESH, INTROSPECT = (
    "VerifyAccessToken",
    "BatchVerifyAccessTokens",
    "RefreshToken",
    "IntrospectToken",
)
PASSIVE: Final = types.ACTIVITY_PASSIVE
REQUEST_ID: Final = ("x-request-id", "conformance-1")
LONG: Final = "e30.e30." + "A" * 9000


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What the requests are made of: tokens of one living session and of one that was ended, and callers."""

    access: str
    refresh: str
    ended_access: str
    ended_refresh: str
    bearer: str
    narrow_bearer: str


@pytest.fixture(scope="module")
async def given(stack: Stack) -> Given:
    """A tenant of its own."""
    api = await stack.new_tenant()
    person = await new_person(api)
    living, ended = await person.sign_in(), await person.sign_in()
    await terminate(api, ended.session.name)
    narrow = await api.tokens.IssueClientToken(
        tokens.IssueClientTokenRequest(
            parent=api.parent, client_id=api.client_id, client_secret=api._secret, scope="users.read"
        )
    )
    return Given(
        access=living.tokens.access_token,
        refresh=living.tokens.refresh_token,
        ended_access=ended.tokens.access_token,
        ended_refresh=ended.tokens.refresh_token,
        bearer=await api.token(),
        narrow_bearer=narrow.tokens.access_token,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A call, and what is said to it.

    Attributes:
        name: What it shows.
        method: Name of the RPC.
        request: The request, or its bytes.
        expected: Code and reason.
        authorization: Whatever the caller says; None: nothing.
    """

    name: str
    method: str
    request: Callable[[Given], Message | bytes]
    expected: tuple[str, str]
    authorization: Callable[[Given], str | None] = lambda given: f"Bearer {given.bearer}"


OK: Final = ("OK", "")
INVALID: Final = ("INVALID_ARGUMENT", "FIELD_INVALID")
BAD_TOKEN: Final = ("UNAUTHENTICATED", "TOKEN_INVALID")
ENDED: Final = ("UNAUTHENTICATED", "SESSION_ENDED")


def verifying(expected: tuple[str, str], name: str, /, token: str | None = None, **more: Any) -> Case:
    """A verification; of the good token, where none is named."""

    def request(given: Given) -> Message:
        presented = given.access if token is None else getattr(given, token, token)
        return tokens.VerifyAccessTokenRequest(access_token=presented, activity=PASSIVE, **more)

    return Case(name=f"verify: {name}", method=VERIFY, request=request, expected=expected)


def sent(method: str, expected: tuple[str, str], name: str, content: Callable[[Given], Message | bytes]) -> Case:
    """Any request of a method."""
    return Case(name=f"{method}: {name}", method=method, request=content, expected=expected)


def batch(*requests: Any) -> tokens.BatchVerifyAccessTokensRequest:
    """Several verifications."""
    return tokens.BatchVerifyAccessTokensRequest(requests=requests)


def mixed(given: Given) -> tokens.BatchVerifyAccessTokensRequest:
    """Good, ended, forged, missing, and one with a scope that it does not hold."""
    one = tokens.VerifyAccessTokenRequest
    return batch(
        one(access_token=given.access, activity=PASSIVE),
        one(access_token=given.ended_access, activity=PASSIVE),
        one(access_token=given.access[:-6] + "AAAAAA", activity=PASSIVE),
        one(activity=PASSIVE),
        one(access_token=given.access, required_scopes=["nobody.has"], activity=PASSIVE),
    )


def by(name: str, expected: tuple[str, str], authorization: Callable[[Given], str | None]) -> Case:
    """A verification by somebody else."""
    case = verifying(expected, f"by {name}")
    return replace(case, authorization=authorization)


_BROKEN: Final[Sequence[tuple[str, bytes]]] = (
    ("no protobuf", b"\xff\xff\xff\xff"),
    ("cut off", b"\x0a\xff\xff\xff\xff\x0f"),
    ("not UTF-8", b"\x0a\x02\xc3\x28"),
)
CASES: Final = [
    verifying(OK, "good"),
    verifying(OK, "strong", consistency=types.CONSISTENCY_STRONG),
    verifying(OK, "with an old enough proof", max_age=Duration(seconds=3600)),
    verifying(INVALID, "none", token=""),
    verifying(BAD_TOKEN, "garbage", token="x"),
    verifying(BAD_TOKEN, "no JSON", token="AAAA.e30.AAAA"),
    verifying(BAD_TOKEN, "odd characters", token="\x00.\u0085.z"),
    verifying(BAD_TOKEN, "too long", token=LONG),
    verifying(BAD_TOKEN, "a refresh token", token="refresh"),
    verifying(ENDED, "of an ended session", token="ended_access"),
    verifying(BAD_TOKEN, "for another resource", resource="https://elsewhere.example.com"),
    verifying(("PERMISSION_DENIED", "TOKEN_SCOPE_MISSING"), "without a scope", required_scopes=["nobody.has"]),
    verifying(("UNAUTHENTICATED", "STEP_UP_REQUIRED"), "of a lower level", acr_values=["urn:argus:acr:3"]),
    verifying(INVALID, "unknown consistency", consistency=99),
    verifying(INVALID, "negative age", max_age=Duration(seconds=-1)),
    verifying(INVALID, "long attempt id", attempt_id="a" * 65),
    by("nobody", ("UNAUTHENTICATED", "CALLER_UNAUTHENTICATED"), lambda _: None),
    by("somebody with a password", ("UNAUTHENTICATED", "CALLER_UNAUTHENTICATED"), lambda _: "Basic YTpi"),
    by("a user", ("UNAUTHENTICATED", "CALLER_TOKEN_INVALID"), lambda given: f"Bearer {given.access}"),
    by("garbage", ("UNAUTHENTICATED", "CALLER_TOKEN_INVALID"), lambda _: "Bearer a.b.c"),
    by("a narrow client", ("PERMISSION_DENIED", "CALLER_SCOPE_MISSING"), lambda given: f"Bearer {given.narrow_bearer}"),
    sent(BATCH, OK, "mixed", mixed),
    sent(BATCH, INVALID, "none", lambda _: batch()),
    sent(BATCH, INVALID, "too many", lambda _: batch(*[tokens.VerifyAccessTokenRequest()] * 101)),
    sent(INTROSPECT, OK, "access token", lambda given: tokens.IntrospectTokenRequest(token=given.access)),
    sent(INTROSPECT, OK, "refresh token", lambda given: tokens.IntrospectTokenRequest(token=given.refresh)),
    sent(INTROSPECT, OK, "ended", lambda given: tokens.IntrospectTokenRequest(token=given.ended_access)),
    sent(INTROSPECT, OK, "garbage", lambda _: tokens.IntrospectTokenRequest(token="x")),
    sent(INTROSPECT, INVALID, "none", lambda _: tokens.IntrospectTokenRequest()),
    sent(REFRESH, BAD_TOKEN, "garbage", lambda _: tokens.RefreshTokenRequest(refresh_token="x")),
    sent(REFRESH, BAD_TOKEN, "access token", lambda given: tokens.RefreshTokenRequest(refresh_token=given.access)),
    sent(REFRESH, ENDED, "ended", lambda given: tokens.RefreshTokenRequest(refresh_token=given.ended_refresh)),
    sent(REFRESH, INVALID, "none", lambda _: tokens.RefreshTokenRequest()),
    sent(
        REFRESH,
        INVALID,
        "wider scope",
        lambda given: tokens.RefreshTokenRequest(refresh_token=given.refresh, scope="nobody.has"),
    ),
    *(
        sent(method, INVALID, name, lambda _, content=content: content)  # type: ignore[misc]
        for method in (VERIFY, BATCH, REFRESH, INTROSPECT)
        for name, content in _BROKEN
    ),
]


def metadata_of(case: Case, given: Given) -> Metadata:
    """What travels with the request."""
    authorization = case.authorization(given)
    return (REQUEST_ID,) if authorization is None else (REQUEST_ID, ("authorization", authorization))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_every_door_says_the_same(case: Case, doors: dict[str, Door], given: Given) -> None:
    """To the byte, but for the moment at which the state was read."""
    made = case.request(given)
    request = made if isinstance(made, bytes) else made.SerializeToString()
    path, metadata = SERVICE + case.method, metadata_of(case, given)
    answers = {name: await door.ask(path, request, metadata) for name, door in doors.items()}
    expected = answers[ENGINE]
    assert (code_pb2.Code.Name(expected.code), expected.reason) == case.expected
    assert answers == dict.fromkeys(doors, expected)


@pytest.mark.parametrize("case", [CASES[0], CASES[4], CASES[16]], ids=lambda case: case.name)
async def test_metadata_of_answers_are_the_same(case: Case, wire_doors: dict[str, WireDoor], given: Given) -> None:
    """The request id and the details, and nothing of whoever has answered."""
    made = case.request(given)
    assert not isinstance(made, bytes)
    request, metadata = made.SerializeToString(), metadata_of(case, given)
    told = {name: (await door.ask(SERVICE + VERIFY, request, metadata)) for name, door in wire_doors.items()}
    assert all(REQUEST_ID in answer.metadata for answer in told.values())
    assert {answer.metadata for answer in told.values()} == {next(iter(told.values())).metadata}


@pytest.mark.parametrize("compression", [grpc.Compression.Gzip, grpc.Compression.Deflate])
@pytest.mark.parametrize("case", [CASES[0], CASES[4]], ids=lambda case: case.name)
async def test_compressed_requests_are_answered_alike(
    case: Case, compression: grpc.Compression, doors: dict[str, Door], wire_doors: dict[str, WireDoor], given: Given
) -> None:
    """The engine reads plain messages alone: somebody else does it."""
    made, metadata = case.request(given), metadata_of(case, given)
    assert not isinstance(made, bytes)
    expected = await doors[ENGINE].ask(SERVICE + VERIFY, made.SerializeToString(), metadata)
    for door in wire_doors.values():
        async with door.open(compression=compression) as channel:
            assert await ask(channel, SERVICE + VERIFY, made.SerializeToString(), metadata) == expected


async def test_a_refresh_is_the_same_whoever_makes_it(stack: Stack, doors: dict[str, Door]) -> None:
    """Each door rotates; its retry is answered by the next door, with the very same successor."""
    api = await stack.new_tenant()
    person = await new_person(api)
    metadata = (REQUEST_ID, ("authorization", f"Bearer {await api.token()}"))
    shapes, names = set(), list(doors)
    for number, name in enumerate(names):
        signed_in = await person.sign_in()
        request = tokens.RefreshTokenRequest(
            refresh_token=signed_in.tokens.refresh_token, attempt_id="once"
        ).SerializeToString()
        places = []
        for door in (doors[name], doors[names[(number + 1) % len(names)]]):
            answer = await door.ask(SERVICE + REFRESH, request, metadata)
            assert answer.code == 0, (name, answer)
            response = tokens.RefreshTokenResponse.FromString(answer.response)
            shapes.add(_shape(response))
            new = RefreshToken.read(response.tokens.refresh_token)
            places.append((new.session_id, new.place, new.jti))
        assert places[0] == places[1]
        assert places[0][1] == (1, 2)
    assert len(shapes) == 1


def _shape(response: tokens.RefreshTokenResponse) -> object:
    """All that does not differ from one session and second to another."""
    issued = response.tokens
    own = {"jti", "iat", "exp", "sid", "auth_time"}
    return (
        tuple(sorted(field.name for field, _ in response.ListFields())),
        tuple(sorted(field.name for field, _ in issued.ListFields())),
        issued.token_type,
        issued.scope,
        *(
            tuple(sorted((name, "" if name in own else str(value)) for name, value in claims_of(token).items()))
            for token in (issued.access_token, issued.refresh_token)
        ),
    )
