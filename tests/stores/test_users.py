import asyncio
from datetime import timedelta

import pytest

from argus.base.errors import (
    ArgusError,
    EtagMismatchError,
    InvalidFieldError,
    PageTokenInvalidError,
    RequestAlreadyDoneError,
    RequestIdReusedError,
)
from argus.base.ids import etag, user_name
from argus.base.pages import encode_page
from argus.groups.model import GroupExistsError, GroupNotFoundError, MemberNotFoundError
from argus.users.model import (
    Holder,
    IdentifierNotFoundError,
    IdentifierTakenError,
    NewIdentifier,
    UserNotFoundError,
)
from tests.support.features import Features, origin


async def test_a_user_is_found_by_any_writing_of_its_identifier(features: Features) -> None:
    """Compared in NFKC and lower case, within the tenant."""
    tenant, other = await features.new_tenant(), await features.new_tenant()
    user = await features.new_user(tenant, "Alice@Example.com")
    assert user.identifiers[0].value == "Alice@Example.com"
    assert await features.users.get(tenant, user.user_id) == user
    assert await features.users.find_by_identifier(tenant, "  ＡLICE@example.COM ") == user
    assert await features.users.find_by_identifier(other, "alice@example.com") is None
    assert await features.users.find_by_identifier(tenant, "bob@example.com") is None


async def test_the_holder_of_an_identifier_is_somebody_or_nobody(features: Features) -> None:
    """Also somebody who is disabled; whoever is deleted holds none."""
    tenant, other = await features.new_tenant(), await features.new_tenant()
    user = await features.new_user(tenant, "alice@example.com")
    nobody = Holder(user_id=None, disabled=False)
    assert await features.users.holder(tenant, " ALICE@example.com") == Holder(user_id=user.user_id, disabled=False)
    assert await features.users.holder(other, "alice@example.com") == nobody
    async with features.db.transaction(origin(tenant), now=features.time) as tx:
        await features.users.set_disabled(tx, tenant, user.user_id, disabled=True)
    assert await features.users.holder(tenant, "alice@example.com") == Holder(user_id=user.user_id, disabled=True)
    async with features.db.transaction(origin(tenant), now=features.time) as tx:
        await features.users.delete(tx, tenant, user.user_id, comment="left")
    assert await features.users.holder(tenant, "alice@example.com") == nobody


async def test_an_identifier_belongs_to_one_user_of_a_tenant(features: Features) -> None:
    """Taken in one tenant, free in another; who loses leaves nothing behind."""
    tenant, other = await features.new_tenant(), await features.new_tenant()
    await features.new_user(tenant, "alice@example.com")
    with pytest.raises(IdentifierTakenError) as refused:
        await features.users.create(
            tenant,
            identifiers=[
                NewIdentifier(kind="username", value="alice"),
                NewIdentifier(kind="email", value="ALICE@example.com"),
            ],
            origin=origin(tenant),
        )
    assert refused.value.field == "user.identifiers[1].value"
    assert await features.users.find_by_identifier(tenant, "alice") is None
    await features.new_user(other, "alice@example.com")


async def test_identifiers_keep_the_order_they_were_given_in(features: Features) -> None:
    """As the caller wrote them."""
    tenant = await features.new_tenant()
    given = [NewIdentifier(kind="username", value=f"user{number}") for number in (3, 1, 2, 5, 4)]
    user = await features.users.create(tenant, identifiers=given, origin=origin(tenant))
    found = await features.users.get(tenant, user.user_id)
    assert [one.value for one in found.identifiers] == [one.value for one in given]


async def test_of_two_racers_for_an_identifier_one_gets_it(features: Features) -> None:
    """Under a race there is still one owner."""
    tenant = await features.new_tenant()
    made = await asyncio.gather(
        *(features.new_user(tenant, "alice@example.com") for _ in range(6)), return_exceptions=True
    )
    assert sum(isinstance(one, IdentifierTakenError) for one in made) == 5
    users, _ = await features.users.list(tenant, page_size=10)
    assert len(users) == 1


async def test_a_repeated_request_is_led_to_what_it_made(features: Features) -> None:
    """`request_id`: the same request is told the name, another one with the same id is refused."""
    tenant = await features.new_tenant()
    identifiers = [NewIdentifier(kind="username", value="alice")]
    first = origin(tenant, request_id="r1", digest=b"a")
    user = await features.users.create(tenant, identifiers=identifiers, origin=first)
    with pytest.raises(RequestAlreadyDoneError) as done:
        await features.users.create(tenant, identifiers=identifiers, origin=first)
    assert done.value.name == user_name(tenant, user.user_id)
    with pytest.raises(RequestIdReusedError):
        await features.users.create(
            tenant, identifiers=identifiers, origin=origin(tenant, request_id="r1", digest=b"b")
        )
    features.advance(timedelta(minutes=10))
    with pytest.raises(IdentifierTakenError):
        await features.users.create(tenant, identifiers=identifiers, origin=first)


async def test_validate_only_checks_and_keeps_nothing(features: Features) -> None:
    """The answer is what it would be, and nothing is there afterwards."""
    tenant = await features.new_tenant()
    identifiers = [NewIdentifier(kind="username", value="alice")]
    dry = origin(tenant, request_id="r1", validate_only=True)
    await features.users.create(tenant, identifiers=identifiers, origin=dry)
    assert await features.users.find_by_identifier(tenant, "alice") is None
    assert "user.created" not in await features.event_types(tenant)
    await features.users.create(tenant, identifiers=identifiers, origin=origin(tenant, request_id="r1"))
    with pytest.raises(IdentifierTakenError):
        await features.users.create(tenant, identifiers=identifiers, origin=origin(tenant, validate_only=True))


async def test_updates_heed_the_etag(features: Features) -> None:
    """A change that was made on an older state is refused, with the etag of now."""
    tenant = await features.new_tenant()
    user = await features.new_user(tenant)
    read = etag(user.revision)
    changed = await features.users.update(tenant, user.user_id, display_name="Alice", etag=read, origin=origin(tenant))
    assert await features.users.get(tenant, user.user_id) == changed
    with pytest.raises(EtagMismatchError) as refused:
        await features.users.update(tenant, user.user_id, display_name="Bob", etag=read, origin=origin(tenant))
    assert refused.value.metadata["etag"] == etag(changed.revision)


async def test_identifiers_come_and_go(features: Features) -> None:
    """Added and removed ones show in the user, its etag and the audit; ten are the most."""
    tenant = await features.new_tenant()
    user = await features.new_user(tenant)
    phone = NewIdentifier(kind="phone", value="+4930123456")
    features.advance(timedelta(seconds=1))
    added = await features.users.add_identifier(tenant, user.user_id, phone, origin=origin(tenant))
    found = await features.users.get(tenant, user.user_id)
    assert [one.identifier_id for one in found.identifiers] == [user.identifiers[0].identifier_id, added.identifier_id]
    assert found.revision == user.revision + 1
    with pytest.raises(IdentifierTakenError):
        await features.users.add_identifier(tenant, user.user_id, phone, origin=origin(tenant))
    await features.users.remove_identifier(tenant, user.user_id, added.identifier_id, origin=origin(tenant))
    with pytest.raises(IdentifierNotFoundError):
        await features.users.remove_identifier(tenant, user.user_id, added.identifier_id, origin=origin(tenant))
    for number in range(9):
        name = NewIdentifier(kind="username", value=f"alice{number}")
        await features.users.add_identifier(tenant, user.user_id, name, origin=origin(tenant))
    with pytest.raises(InvalidFieldError):
        await features.users.add_identifier(tenant, user.user_id, phone, origin=origin(tenant))
    assert {"identifier.added", "identifier.removed"} <= set(await features.event_types(tenant))


async def test_a_deleted_user_leaves_its_identifiers_free(features: Features) -> None:
    """Deleted: not found by anything, and somebody else may have the identifier."""
    tenant = await features.new_tenant()
    user = await features.new_user(tenant, "alice@example.com")
    async with features.db.transaction(origin(tenant), now=features.time) as tx:
        await features.users.delete(tx, tenant, user.user_id, comment="left")
    assert await features.users.find_by_identifier(tenant, "alice@example.com") is None
    calls = (
        features.users.get(tenant, user.user_id),
        features.users.update(tenant, user.user_id, display_name="x", origin=origin(tenant)),
        features.users.remove_identifier(tenant, user.user_id, "x", origin=origin(tenant)),
    )
    for call in calls:
        with pytest.raises(UserNotFoundError):
            await call
    again = await features.new_user(tenant, "alice@example.com")
    assert again.user_id != user.user_id


async def test_users_are_listed_in_the_order_of_their_creation(features: Features) -> None:
    """Page by page, each once, also where they share an instant; another list's token is refused."""
    tenant, other = await features.new_tenant(), await features.new_tenant()
    made = []
    for number in range(7):
        made.append((await features.new_user(tenant)).user_id)
        if number % 3 == 0:
            features.advance(timedelta(milliseconds=1))
    await features.new_user(other)
    seen, token = [], ""
    while True:
        users, token = await features.users.list(tenant, page_size=3, page_token=token)
        seen += [one.user_id for one in users]
        if not token:
            break
        foreign = token
    assert sorted(seen) == sorted(made)
    assert seen[0] == made[0]
    for bad in (foreign[:-2], "x", encode_page(f"users:{tenant}", ("x",)), encode_page(f"users:{tenant}", ("x", "y"))):
        with pytest.raises(PageTokenInvalidError):
            await features.users.list(tenant, page_size=3, page_token=bad)
    with pytest.raises(PageTokenInvalidError):
        await features.users.list(other, page_size=3, page_token=foreign)


async def test_groups_and_their_members(features: Features) -> None:
    """Members are counted, shown at the user, and stay when the group goes."""
    tenant = await features.new_tenant()
    user = await features.new_user(tenant)
    groups, by = features.groups, origin(tenant)
    await groups.create(tenant, "staff", display_name="Staff", origin=by)
    with pytest.raises(GroupExistsError):
        await groups.create(tenant, "staff", origin=by)
    for _ in range(2):
        assert (await groups.add_member(tenant, "staff", user.user_id, origin=by)).member_count == 1
    assert (await features.users.get(tenant, user.user_id)).groups == ["staff"]
    for _ in range(2):
        assert (await groups.remove_member(tenant, "staff", user.user_id, origin=by)).member_count == 0
    assert (await features.event_types(tenant)).count("group.member_added") == 1
    await groups.add_member(tenant, "staff", user.user_id, origin=by)
    await groups.delete(tenant, "staff", origin=by)
    assert (await features.users.get(tenant, user.user_id)).groups == []
    missing: list[tuple[object, type[ArgusError]]] = [
        (groups.get(tenant, "staff"), GroupNotFoundError),
        (groups.delete(tenant, "staff", origin=by), GroupNotFoundError),
        (groups.add_member(tenant, "staff", user.user_id, origin=by), GroupNotFoundError),
    ]
    for call, error in missing:
        with pytest.raises(error):
            await call  # type: ignore[misc]
    await groups.create(tenant, "team", origin=by)
    with pytest.raises(MemberNotFoundError):
        await groups.add_member(tenant, "team", "nobody", origin=by)


async def test_groups_are_listed_by_id(features: Features) -> None:
    """Page by page."""
    tenant = await features.new_tenant()
    for group in ("c", "a", "b"):
        await features.groups.create(tenant, group, origin=origin(tenant))
    first, token = await features.groups.list(tenant, page_size=2)
    rest, end = await features.groups.list(tenant, page_size=2, page_token=token)
    assert [one.group_id for one in (*first, *rest)] == ["a", "b", "c"]
    assert end == ""
