"""Users that are taken over from another system: each for itself, as often as one likes, and then they sign in."""

import asyncio
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from argus.server.api import Api, failure_of
from argus.v1 import errors_pb2
from argus.v1 import user_service_pb2 as users
from tests.support.people import Person, reason_of
from tests.support.stack import Stack

# Of "test"; from the tests of passlib (BSD).
SCRYPT = "$scrypt$ln=8,r=8,p=1$wlhLyXmP8b53bm1NKYVQqg$mTpvG8lzuuDk+DWz8HZIB6Vum6erDuUm0As5yU+VxWA"
# Of "password"; likewise.
PBKDF2 = "$pbkdf2$1212$OB.dtnSEXZK8U5cgxU/GYQ$y5LKPOplRmok7CZp/aqVDVg8zGI"
VERIFIED = datetime(2025, 5, 6, 7, 8, 9, tzinfo=UTC)


@pytest.fixture(scope="module")
async def api(stack: Stack) -> Api:
    """A tenant of this file's own."""
    return await stack.new_tenant()


def address() -> str:
    """An e-mail address that nobody has."""
    return f"i{secrets.token_hex(8)}@example.com"


def one(*emails: str, password_hash: str = SCRYPT, groups: Sequence[str] = (), **more: object) -> users.UserImport:
    """A user with these addresses."""
    identifiers = [users.Identifier(kind=users.IDENTIFIER_KIND_EMAIL, value=email) for email in emails]
    user = users.User(identifiers=identifiers, groups=groups, **more)  # type: ignore[arg-type]  # fields of a user
    return users.UserImport(user=user, password_hash=password_hash)


async def take_over(api: Api, *imports: users.UserImport, validate_only: bool = False) -> list[users.UserImportResult]:
    """The results of one call."""
    request = users.ImportUsersRequest(parent=api.parent, users=imports, validate_only=validate_only)
    return list((await api.users.ImportUsers(request)).results)


async def find(api: Api, email: str) -> users.User | None:
    """Who has an address."""
    found = await api.users.ListUsers(users.ListUsersRequest(parent=api.parent, identifier=email))
    return found.users[0] if found.users else None


async def test_a_user_is_taken_over_whole_and_signs_in(api: Api) -> None:
    """Name, identifiers with what was verified, groups, state; with the password of the other system."""
    request = users.CreateGroupRequest(parent=api.parent, group_id="staff", group=users.Group())
    await api.users.CreateGroup(request)
    email, name, stamp = address(), f"u{secrets.token_hex(6)}", Timestamp()
    stamp.FromDatetime(VERIFIED)
    identifiers = [
        users.Identifier(kind=users.IDENTIFIER_KIND_EMAIL, value=email, verify_time=stamp),
        users.Identifier(kind=users.IDENTIFIER_KIND_USERNAME, value=name),
    ]
    user = users.User(display_name="Zoë", identifiers=identifiers, groups=["staff", "staff"])
    (result,) = await take_over(api, users.UserImport(user=user, password_hash=SCRYPT))
    assert (result.outcome, result.code, result.message) == (users.IMPORT_OUTCOME_CREATED, 0, "")
    made = (await api.users.GetUser(users.GetUserRequest(name=result.user))).user
    assert (made.display_name, made.state, list(made.groups)) == ("Zoë", users.USER_STATE_ACTIVE, ["staff"])
    assert [(one.value, one.verify_time.ToDatetime(tzinfo=UTC)) for one in made.identifiers] == [
        (email, VERIFIED),
        (name, datetime(1970, 1, 1, tzinfo=UTC)),
    ]
    assert not made.identifiers[1].HasField("verify_time")
    person = Person(api=api, name=result.user, identifier=name)
    assert await person.try_password("test.") is not None
    for _ in range(2):  # by the foreign hash, and by the one that took its place
        assert (await person.sign_in(password="test")).session.name


async def test_a_disabled_user_stays_out(api: Api) -> None:
    """And is in once it is enabled."""
    email = address()
    (result,) = await take_over(api, one(email, state=users.USER_STATE_DISABLED))
    person = Person(api=api, name=result.user, identifier=email)
    assert await person.try_password("test") is not None
    await api.users.EnableUser(users.EnableUserRequest(name=result.user))
    assert await person.try_password("test") is None


async def test_a_user_without_a_password_is_taken_over_as_one(api: Api) -> None:
    """It has no credential; whatever is tried is refused."""
    email = address()
    (result,) = await take_over(api, one(email, password_hash=""))
    assert result.outcome == users.IMPORT_OUTCOME_CREATED
    assert await Person(api=api, name=result.user, identifier=email).try_password("") is not None


async def test_importing_again_changes_nothing(api: Api) -> None:
    """Who is there stays as it is, with a password that is newer than the file; even if it has got more identifiers."""
    email = address()
    (first,) = await take_over(api, one(email))
    person = Person(api=api, name=first.user, identifier=email)
    await person.sign_in(password="test")
    more = users.Identifier(kind=users.IDENTIFIER_KIND_EMAIL, value=address())
    await api.users.CreateIdentifier(users.CreateIdentifierRequest(parent=first.user, identifier=more))
    (again,) = await take_over(api, one(email.upper(), password_hash=PBKDF2, display_name="Another"))
    assert (again.outcome, again.user) == (users.IMPORT_OUTCOME_PRESENT, first.user)
    assert await person.try_password("password") is not None
    assert await person.try_password("test") is None
    assert (await api.users.GetUser(users.GetUserRequest(name=first.user))).user.display_name == ""


async def test_each_stands_for_itself(api: Api) -> None:
    """Those that are refused say why, and keep none of the others out."""
    emails = [address() for _ in range(9)]
    taken = address()
    await take_over(api, one(taken))
    results = await take_over(
        api,
        one(emails[0]),
        one(emails[1], password_hash="5f4dcc3b5aa765d61d8327deb882cf99"),
        one(emails[2], password_hash="$2b$31$DORz0aKh0i8F3NARsBwAMO85uBiuQ/B6Go5Fg4/Occas1lB.G7kSe"),
        one(emails[3], taken),
        one(emails[4], groups=["nobodies"]),
        one(emails[5], display_name="x" * 201),
        one("no address"),
        users.UserImport(),
        one(emails[6], groups=["No Body"]),
        one(emails[7]),
        one(emails[7]),
        one(emails[7], emails[8]),
    )
    reasons = [errors_pb2.ErrorReason.Name(result.reason).removeprefix("ERROR_REASON_") for result in results]
    assert reasons == [
        "UNSPECIFIED",
        "PASSWORD_HASH_REFUSED",
        "PASSWORD_HASH_REFUSED",
        "IDENTIFIER_TAKEN",
        "GROUP_NOT_FOUND",
        "FIELD_INVALID",
        "FIELD_INVALID",
        "FIELD_INVALID",
        "GROUP_NOT_FOUND",
        "UNSPECIFIED",
        "UNSPECIFIED",
        "IDENTIFIER_TAKEN",
    ]
    assert [result.metadata.get("rule") for result in results[1:3]] == ["UNKNOWN_FORMAT", "TOO_COSTLY"]
    assert "5f4dcc3b" not in results[1].message
    assert results[3].metadata["field"] == "user.identifiers[1].value"
    assert results[10].outcome == users.IMPORT_OUTCOME_PRESENT
    assert results[10].user == results[9].user
    assert [email for email in emails if await find(api, email)] == [emails[0], emails[7]]


async def test_validate_only_tells_all_and_keeps_nothing(api: Api, stack: Stack) -> None:
    """The same outcomes as the call that is meant, and no row."""
    email, taken = address(), address()
    await take_over(api, one(taken))
    before = await audit_rows(stack, api)
    imports = [one(email), one(taken), one(address(), taken), one(address(), password_hash="x")]
    results = await take_over(api, *imports, validate_only=True)
    assert [result.outcome for result in results] == [
        users.IMPORT_OUTCOME_CREATED,
        users.IMPORT_OUTCOME_PRESENT,
        users.IMPORT_OUTCOME_REFUSED,
        users.IMPORT_OUTCOME_REFUSED,
    ]
    assert (results[0].user, bool(results[1].user)) == ("", True)
    assert await find(api, email) is None
    assert await audit_rows(stack, api) == before
    assert [one.outcome for one in await take_over(api, *imports)] == [one.outcome for one in results]


async def audit_rows(stack: Stack, api: Api) -> int:
    """How many the tenant has."""
    row = await stack.argus.db.fetch_one(
        "SELECT count(*) AS n FROM audit_events WHERE tenant_id = %s", (api.tenant_id,)
    )
    assert row is not None
    return int(row["n"])


async def test_two_imports_of_one_file_at_once(api: Api) -> None:
    """Each user is made once, whoever comes first; both answers name the same users."""
    emails = [address() for _ in range(40)]
    forth, back = await asyncio.gather(
        take_over(api, *(one(email, password_hash="") for email in emails)),
        take_over(api, *(one(email, password_hash="") for email in reversed(emails))),
    )
    back.reverse()
    assert [result.user for result in forth] == [result.user for result in back]
    created = [result.outcome == users.IMPORT_OUTCOME_CREATED for result in (*forth, *back)]
    assert created.count(True) == len(emails)


async def test_the_audit_names_the_kind_of_hash(api: Api, stack: Stack) -> None:
    """One row a user, without the hash."""
    (result,) = await take_over(api, one(address(), password_hash=PBKDF2))
    row = await stack.argus.db.fetch_one(
        "SELECT type, row_to_json(a)::text AS row FROM audit_events a WHERE tenant_id = %s AND user_id = %s",
        (api.tenant_id, result.user.rpartition("/")[2]),
    )
    assert row is not None
    assert row["type"] == "user.imported"
    assert "pbkdf2-sha1" in row["row"]
    assert "y5LKPOplRmok7CZp" not in row["row"]


async def test_how_many_come_at_once_is_bounded(api: Api) -> None:
    """1 to 200."""
    for number in (0, 201):
        request = users.ImportUsersRequest(parent=api.parent, users=[one(address())] * number)
        failure = await failure_of(api.users.ImportUsers(request))
        assert failure is not None
        assert (failure.reason, failure.metadata["field"]) == ("FIELD_INVALID", "users")


async def test_another_tenant_is_none_of_ones_business(api: Api, stack: Stack) -> None:
    """As everywhere."""
    other = await stack.new_tenant()
    request = users.ImportUsersRequest(parent=other.parent, users=[one(address())])
    assert await reason_of(api.users.ImportUsers(request)) == "CALLER_TENANT_MISMATCH"
