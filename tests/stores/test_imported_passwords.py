"""Passwords whose hashes were made elsewhere, until their users sign in; and what nobody costs meanwhile."""

import secrets
from collections import Counter
from collections.abc import AsyncIterator, Mapping

import bcrypt
import pytest

from argus.base.ids import new_id
from argus.credentials import store
from argus.credentials.foreign.formats import read
from argus.credentials.foreign.model import PasswordHash
from argus.credentials.service import Passwords
from tests.support.features import Features, origin

OWN = "$argon2id$v=19$m=19456,t=2,p=1$"
ALICE = "alice@example.com"


async def import_hash(features: Features, tenant: str, text: str) -> str:
    """A new user with that hash; its id."""
    user = await features.new_user(tenant)
    async with features.db.transaction(origin(tenant), now=features.time) as tx:
        await features.passwords.put_all(tx, tenant, {user.user_id: features.passwords.accept(text)})
    return user.user_id


async def stored(features: Features, user_id: str) -> str:
    """The hash that the database holds."""
    row = await features.db.fetch_one("SELECT secret_hash FROM credentials WHERE user_id = %s", (user_id,))
    assert row is not None
    return str(row["secret_hash"])


async def let_in(features: Features, tenant: str, user_id: str, password: str) -> bool:
    """Checks a password and, if it is right, notes that it was let in."""
    check = await features.passwords.check(tenant, user_id, password, identifier=ALICE)
    if check.ok:
        await features.passwords.used(tenant, check, password)
    return check.ok


@pytest.mark.parametrize(
    ("password", "text"),
    [
        ("password", "$2a$05$bvIG6Nmid91Mu9RcmmWZfO5HJIMCT8riNW0hEp8f6/FuA2/mHZFpe"),
        ("password", "$bcrypt-sha256$v=2,t=2b,r=5$5Hg1DKFqPE8C2aflZ5vVoe$wOK1VFFtS8IGTrGa7.h5fs0u84qyPbS"),
        ("test", "$scrypt$ln=8,r=8,p=1$wlhLyXmP8b53bm1NKYVQqg$mTpvG8lzuuDk+DWz8HZIB6Vum6erDuUm0As5yU+VxWA"),
        ("password", "$pbkdf2$1212$OB.dtnSEXZK8U5cgxU/GYQ$y5LKPOplRmok7CZp/aqVDVg8zGI"),
        ("password", "$argon2i$v=19$m=256,t=1,p=1$c29tZXNhbHQ$AJFIsNZTMKTAewB4+ETN1A"),
    ],
)
async def test_a_foreign_hash_becomes_argon2id_with_the_first_success(
    features: Features, password: str, text: str
) -> None:
    """A wrong password changes nothing; the right one fits before and after, and the wrong one never."""
    tenant = await features.new_tenant()
    user_id = await import_hash(features, tenant, text)
    before = await stored(features, user_id)
    assert not await let_in(features, tenant, user_id, f"{password}.")
    assert await stored(features, user_id) == before
    assert await let_in(features, tenant, user_id, password)
    renewed = await stored(features, user_id)
    assert renewed.startswith(OWN)
    assert await let_in(features, tenant, user_id, password)
    assert not await let_in(features, tenant, user_id, f"{password}.")
    assert await stored(features, user_id) == renewed


async def test_what_bcrypt_did_not_read_is_not_taken_for_proven(features: Features) -> None:
    """Of a password over 72 bytes bcrypt compared the beginning: a slip in the rest must not become the password."""
    tenant = await features.new_tenant()
    password = ("0123456789" * 26)[:254]
    user_id = await import_hash(features, tenant, "$2a$04$R1lJ2gkNaoPGdafE.H.16.1MKHPvmKwryeulRe225LKProWYwt9Oi")
    assert await let_in(features, tenant, user_id, f"{password}slip")
    assert (await stored(features, user_id)).startswith("$2a$04$")
    assert await let_in(features, tenant, user_id, password)


async def test_a_password_may_have_been_hashed_as_it_was_typed(features: Features) -> None:
    """Not normalised, as others do; from then on any form fits."""
    tenant = await features.new_tenant()
    apart, composed = "Zoe\u0308 fru\u0308h", "Zoë früh"
    text = bcrypt.hashpw(apart.encode(), bcrypt.gensalt(4)).decode()
    user_id = await import_hash(features, tenant, text)
    assert not await let_in(features, tenant, user_id, composed)
    assert await let_in(features, tenant, user_id, apart)
    assert await let_in(features, tenant, user_id, composed)
    assert await let_in(features, tenant, user_id, apart)


class Costs:
    """Which hashes are computed: the pool's, watched."""

    def __init__(self, passwords: Passwords, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seen: list[str] = []
        verify = passwords._pool.verify

        async def watched(hashed: PasswordHash, forms: list[bytes]) -> bool:
            self.seen.append(cost_of(str(hashed)))
            return await verify(hashed, forms)

        monkeypatch.setattr(passwords._pool, "verify", watched)


def cost_of(text: str) -> str:
    """All of a hash that its cost depends on."""
    return text[:7] if read(text).kind == "bcrypt" else text.rpartition("$")[0].rpartition("$")[0]


@pytest.fixture
async def tenant(features: Features) -> AsyncIterator[str]:
    """A tenant that is left without passwords, for the sake of others' statistics."""
    tenant = await features.new_tenant()
    yield tenant
    async with features.db.transaction() as tx:
        await tx.execute("DELETE FROM credentials WHERE tenant_id = %s", (tenant,))


async def fill(features: Features, tenant: str, numbers: Mapping[str, int]) -> None:
    """So many users with each hash, which none of them can sign in with."""
    hashes: dict[str, PasswordHash] = {}
    rows = []
    for text, number in numbers.items():
        for _ in range(number):
            user_id = new_id()
            rows.append(user_id)
            hashes[user_id] = read(text).lookalike()
    async with features.db.transaction(origin(tenant), now=features.time) as tx:
        await tx.execute(
            "INSERT INTO users (tenant_id, user_id, create_time) SELECT %s, unnest(%s::text[]), %s",
            (tenant, rows, features.time),
        )
        await features.passwords.put_all(tx, tenant, hashes)


async def test_asvs_6_3_8_nobody_costs_what_somebody_costs(
    features: Features, tenant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unknown identifiers cost as much as users do, in the shares in which users do, and each always the same."""
    cheap = "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$" + "A" * 43
    other = "$2b$04$DORz0aKh0i8F3NARsBwAMO85uBiuQ/B6Go5Fg4/Occas1lB.G7kSe"
    await fill(features, tenant, {cheap: 200, other: 100})
    costs = Costs(features.passwords, monkeypatch)
    nobodies = [f"n{secrets.token_hex(8)}@example.com" for _ in range(600)]
    for _ in range(2):
        for identifier in nobodies:
            await features.passwords.check(tenant, None, "password", identifier=identifier)
    first, second = costs.seen[:600], costs.seen[600:]
    assert first == second
    shares = Counter(first)
    assert set(shares) == {cost_of(cheap), cost_of(other)}
    # A third, give or take five standard deviations of 600 draws (0.02) and of the gaps between 300 ids (0.03).
    assert abs(shares[cost_of(other)] / 600 - 1 / 3) < 0.18


async def test_asvs_6_3_8_nobody_becomes_faster_as_users_do(
    features: Features, tenant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once the last foreign hash is gone, nobody costs one any more; in a tenant of another nobody ever did."""
    user_id = await import_hash(features, tenant, "$2a$05$bvIG6Nmid91Mu9RcmmWZfO5HJIMCT8riNW0hEp8f6/FuA2/mHZFpe")
    empty = await features.new_tenant()
    costs = Costs(features.passwords, monkeypatch)
    for _ in range(20):
        await features.passwords.check(tenant, None, "password", identifier=secrets.token_hex(8))
    assert set(costs.seen) == {"$2a$05$"}
    costs.seen.clear()
    assert await let_in(features, tenant, user_id, "password")
    costs.seen.clear()
    for place in (tenant, empty):
        for _ in range(20):
            await features.passwords.check(place, None, "password", identifier=secrets.token_hex(8))
    assert set(costs.seen) == {OWN[:-1]}


async def test_a_peer_is_found_at_once_right_after_an_import(features: Features, tenant: str) -> None:
    """PostgreSQL has no statistics of the table yet; it must not read and sort all passwords for one sign-in."""
    await fill(features, tenant, {"$2b$04$DORz0aKh0i8F3NARsBwAMO85uBiuQ/B6Go5Fg4/Occas1lB.G7kSe": 3000})
    async with features.db.transaction() as tx:
        rows = await tx.fetch_all(
            f"EXPLAIN (ANALYZE, BUFFERS, FORMAT TEXT) {store._FIND}",
            {"tenant": tenant, "user": "-", "point": "8"},
        )
    plan = "\n".join(str(row["QUERY PLAN"]) for row in rows)
    assert plan.count("Index Scan using credentials_peers") == 2, plan
    assert plan.count("Index Scan using credentials_one_password") == 1, plan
    assert "Rows Removed" not in plan, plan
