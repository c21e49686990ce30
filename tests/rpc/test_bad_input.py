"""Bad input of every kind to every management RPC, made from the descriptors: refused, and nothing half-written."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from argus.server.api import Failure
from tests.support.stack import Stack
from tests.support.wire import ALL_RPCS, Rpc, Wire
from tests.support.world import World

MANAGEMENT: Final = [rpc for rpc in ALL_RPCS if not rpc.is_hot and not rpc.access.system_tenant_only]
NOT_A_FIELD: Final = {"request"}
# Fields that hold a resource name; each says so in its comment in the proto.
NAME_FIELDS: Final = {"name", "parent", "group", "user", "keep_session", "current_session", "names"}
# Those of a message that an RPC takes and does not read (a resource's own name at its creation).
DEEPEST: Final = 3
_SMALL: Final[dict[int, Any]] = {FieldDescriptor.TYPE_STRING: "a", FieldDescriptor.TYPE_BYTES: b"a"}
# A token is judged as a token (tests/rpc/test_presented_tokens.py).
PRESENTED: Final = {"token", "access_token", "refresh_token"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One way to spoil one field of a request."""

    name: str
    field: str
    spoil: Callable[[Message], None]
    reasons: frozenset[str] = frozenset({"FIELD_INVALID"})


def cases_of(descriptor: Any, path: str = "", depth: int = 0) -> Iterator[Case]:
    """All cases of a message and, down to a depth, of the messages in it."""
    for field in descriptor.fields:
        where = f"{path}{field.name}"
        if where in PRESENTED:
            continue
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            continue
        yield from _cases_of_field(field, where)
        is_own = field.message_type is not None and field.message_type.full_name.startswith("argus.")
        if is_own and depth < DEEPEST:
            suffix = "[0]" if field.is_repeated else ""
            yield from cases_of(field.message_type, f"{where}{suffix}.", depth + 1)


def _cases_of_field(field: FieldDescriptor, path: str) -> Iterator[Case]:
    for kind, value in _bad_values(field):
        where = f"{path}[0]" if field.is_repeated else path
        yield Case(name=f"{where}:{kind}", field=where, spoil=_setter(path, value, is_repeated=field.is_repeated))
    if field.is_repeated:
        yield Case(name=f"{path}:too many", field=path, spoil=_repeater(path))


def _bad_values(field: FieldDescriptor) -> Iterator[tuple[str, Any]]:
    if field.enum_type is not None:
        yield "unknown number", 99
    elif field.type == FieldDescriptor.TYPE_STRING:
        yield "NUL", "a\0b"
        yield "control character", "a\u0085b"
        yield "too long", "a" * 9000
    elif field.type == FieldDescriptor.TYPE_BYTES:
        yield "too long", b"a" * 9000
    elif field.name == "page_size":
        yield "negative", -1
    elif field.message_type is not None:
        kind = field.message_type.full_name
        if kind == "google.protobuf.Timestamp":
            yield "beyond 9999", field.message_type._concrete_class(seconds=10**12)
        elif kind == "google.protobuf.Duration":
            yield "negative", field.message_type._concrete_class(seconds=-1)


def _walk(message: Message, path: str) -> tuple[Message, str]:
    *outer, last = path.replace("[0]", "").split(".")
    for name in outer:
        inner = getattr(message, name)
        if message.DESCRIPTOR.fields_by_name[name].is_repeated:
            inner = inner[0] if len(inner) else inner.add()
        message = inner
    return message, last


def _setter(path: str, value: Any, *, is_repeated: bool) -> Callable[[Message], None]:
    def spoil(request: Message) -> None:
        message, name = _walk(request, path)
        if is_repeated:
            message.ClearField(name)
            getattr(message, name).append(value)
        elif message.DESCRIPTOR.fields_by_name[name].message_type is not None:
            getattr(message, name).CopyFrom(value)
        else:
            setattr(message, name, value)

    return spoil


def _repeater(path: str) -> Callable[[Message], None]:
    def spoil(request: Message) -> None:
        message, name = _walk(request, path)
        field = message.DESCRIPTOR.fields_by_name[name]
        for _ in range(1001):
            if field.message_type is not None:
                getattr(message, name).add()
            else:
                getattr(message, name).append(_SMALL.get(field.type, 1))

    return spoil


ALL_CASES: Final = [
    pytest.param(rpc, case, id=f"{rpc.name}-{case.name}")
    for rpc in MANAGEMENT
    for case in cases_of(rpc.method.input_type)
]


@pytest.mark.parametrize(("rpc", "case"), ALL_CASES)
async def test_a_spoilt_field_is_named(
    rpc: Rpc, case: Case, stack: Stack, wire: Wire, world: World, authorization: str
) -> None:
    """One field of a good request is spoilt: INVALID_ARGUMENT, the field's path, and nothing is written."""
    request = world.request(rpc.name)
    case.spoil(request)
    async with stack.nothing_written(world.tenant):
        answer = await wire.call(rpc.path, request, authorization=authorization)
    assert isinstance(answer, Failure)
    assert (answer.code, answer.field) == ("INVALID_ARGUMENT", case.field), answer
    assert answer.metadata["field"] == case.field


@pytest.mark.parametrize("rpc", MANAGEMENT, ids=lambda rpc: rpc.name)
async def test_bytes_that_are_no_request(rpc: Rpc, stack: Stack, wire: Wire, world: World, authorization: str) -> None:
    """Undecodable bytes, cut-off ones and text that is not UTF-8."""
    good = world.request(rpc.name).SerializeToString()
    first_text = next(
        (field for field in rpc.method.input_type.fields if field.type == FieldDescriptor.TYPE_STRING), None
    )
    spoilt = [b"\xff\xff\xff\xff", b"\x0a\xff\xff\xff\xff\x0f", good[:-1] if good else b"\x0a\x05a"]
    if first_text is not None and not first_text.is_repeated:
        spoilt.append(bytes([first_text.number << 3 | 2, 2, 0xC3, 0x28]))
    for encoded in spoilt:
        async with stack.nothing_written(world.tenant):
            answer = await wire.call(rpc.path, encoded, authorization=authorization)
        assert isinstance(answer, Failure)
        assert (answer.code, answer.reason) == ("INVALID_ARGUMENT", "FIELD_INVALID"), (encoded, answer)


NAMED: Final = [
    pytest.param(rpc, path, id=f"{rpc.name}-{path}")
    for rpc in MANAGEMENT
    for path in (
        *(field.name for field in rpc.method.input_type.fields if field.name in NAME_FIELDS),
        *(
            f"{kind}.name"
            for kind in ("session", "user", "client", "tenant")
            if rpc.name in (f"Update{kind.title()}", f"UpdateOwn{kind.title()}")
        ),
        *(("touches[0].name",) if rpc.name == "TouchSessions" else ()),
    )
    if rpc.method.input_type.fields_by_name.get(path.split(".")[0]) is None
    or rpc.method.input_type.fields_by_name[path.split(".")[0]].message_type is None
    or "." in path
]


@pytest.mark.parametrize(("rpc", "path"), NAMED)
async def test_a_name_of_another_kind(
    rpc: Rpc, path: str, stack: Stack, wire: Wire, world: World, authorization: str
) -> None:
    """Names of other kinds, with more or fewer parts, with slashes at the ends and with strange characters."""
    tenant = world.tenant
    names = ("nonsense", f"{tenant}/", f"/{tenant}", f"{tenant}/unicorns/1", f"{world.session}/x", f"{tenant}/users/ä")
    for name in names:
        request = world.request(rpc.name)
        _setter(path, name, is_repeated=False)(request)
        async with stack.nothing_written(world.tenant):
            answer = await wire.call(rpc.path, request, authorization=authorization)
        assert isinstance(answer, Failure), name
        assert (answer.code, answer.field) == ("INVALID_ARGUMENT", path), (name, answer)


@pytest.mark.parametrize(("rpc", "path"), NAMED)
async def test_a_name_of_another_tenant(
    rpc: Rpc, path: str, stack: Stack, wire: Wire, world: World, authorization: str
) -> None:
    """A well-formed name in another tenant: refused without a word on whether it exists."""
    request = world.request(rpc.name)
    message, field = _walk(request, path)
    name = getattr(message, field) or world.session
    _setter(path, name.replace(world.tenant, "tenants/elsewhere", 1), is_repeated=False)(request)
    async with stack.nothing_written(world.tenant):
        answer = await wire.call(rpc.path, request, authorization=authorization)
    assert isinstance(answer, Failure)
    # Whoever asks for a client token has no tenant yet: to it, an unknown tenant is like a wrong secret.
    expected = "CALLER_CREDENTIALS_INVALID" if rpc.access.anonymous else "CALLER_TENANT_MISMATCH"
    if rpc.path.startswith("/argus.v1.SelfService/"):
        # To a user all that is not its own is alike.
        expected = "CREDENTIAL_NOT_FOUND" if "/credentials/" in name else "SESSION_NOT_FOUND"
    assert answer.reason == expected, answer


PAGED: Final = [rpc for rpc in MANAGEMENT if "page_token" in rpc.method.input_type.fields_by_name]


@pytest.mark.parametrize("rpc", PAGED, ids=lambda rpc: rpc.name)
async def test_a_page_token_of_nobody(rpc: Rpc, wire: Wire, world: World, authorization: str) -> None:
    """Garbage where a page token belongs."""
    for token in ("garbage", "AAAA", "ä", "eyJhIjoxfQ"):
        request = world.request(rpc.name)
        _setter("page_token", token, is_repeated=False)(request)
        answer = await wire.call(rpc.path, request, authorization=authorization)
        assert isinstance(answer, Failure), token
        assert (answer.reason, answer.field) == ("PAGE_TOKEN_INVALID", "page_token")


MASKED: Final = [rpc for rpc in MANAGEMENT if "update_mask" in rpc.method.input_type.fields_by_name]


@pytest.mark.parametrize("rpc", MASKED, ids=lambda rpc: rpc.name)
async def test_a_mask_of_what_cannot_change(
    rpc: Rpc, stack: Stack, wire: Wire, world: World, authorization: str
) -> None:
    """Unknown paths, output-only ones and none at all."""
    for paths in (["nonsense"], ["name"], ["create_time"], ["etag"], []):
        request = world.request(rpc.name)
        del request.update_mask.paths[:]  # type: ignore[attr-defined]
        request.update_mask.paths.extend(paths)  # type: ignore[attr-defined]
        async with stack.nothing_written(world.tenant):
            answer = await wire.call(rpc.path, request, authorization=authorization)
        assert isinstance(answer, Failure), paths
        assert (answer.code, answer.field) == ("INVALID_ARGUMENT", "update_mask")


REPEATABLE: Final = [rpc for rpc in MANAGEMENT if "request_id" in rpc.method.input_type.fields_by_name]


@pytest.mark.parametrize("rpc", REPEATABLE, ids=lambda rpc: rpc.name)
async def test_a_request_id_of_strange_characters(rpc: Rpc, wire: Wire, world: World, authorization: str) -> None:
    """At most 64 of [A-Za-z0-9_-]."""
    for value in ("a" * 65, "a b", "a/b", "é"):
        request = world.request(rpc.name)
        _setter("request_id", value, is_repeated=False)(request)
        answer = await wire.call(rpc.path, request, authorization=authorization)
        assert isinstance(answer, Failure), value
        assert (answer.code, answer.field) == ("INVALID_ARGUMENT", "request_id")


VALIDATING: Final = [rpc for rpc in MANAGEMENT if "validate_only" in rpc.method.input_type.fields_by_name]


@pytest.mark.parametrize("rpc", VALIDATING, ids=lambda rpc: rpc.name)
async def test_validate_only_changes_nothing(
    rpc: Rpc, stack: Stack, wire: Wire, world: World, authorization: str
) -> None:
    """Everything is checked, nothing is kept."""
    request = world.request(rpc.name)
    _setter("validate_only", value=True, is_repeated=False)(request)
    async with stack.nothing_written(world.tenant):
        answer = await wire.call(rpc.path, request, authorization=authorization)
    assert isinstance(answer, bytes), answer
