"""Private keys are nowhere to be read: not in the stores, their backups, logs, answers, commands or traces."""

from __future__ import annotations

import asyncio
import base64
import shutil
from typing import TYPE_CHECKING

import httpx
import pytest
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)

from tests.support.key_scene import PATIENCE_SECONDS, Scene, key_scene
from tests.support.needles import found_below, found_in, secret_parts

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path


@pytest.fixture(scope="module")
async def scene(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scene]:
    async with key_scene(tmp_path_factory.mktemp("private_keys")) as made:
        yield made


def leaks(places: Mapping[str, bytes], secrets: Mapping[str, bytes]) -> dict[str, set[str]]:
    """Which secrets are in which places."""
    found = {place: found_in(content, secrets) for place, content in places.items()}
    return {place: names for place, names in found.items() if names}


async def test_nothing_that_is_said_holds_a_private_key(scene: Scene) -> None:
    """Answers, logs without redaction at the lowest level, exceptions with their traces, `repr`, metrics, key sets."""
    assert len(scene.secrets) > 20
    places = {f"answer {number}": answer.encode() for number, answer in enumerate(scene.answers)}
    places["repr"] = (await scene.shown()).encode()
    server = scene.private.server
    key_set = f"{server.http_url}/t/{scene.api.tenant_id}/.well-known/jwks.json"
    async with httpx.AsyncClient() as http:
        for url in (f"{server.admin_url}/metrics", f"{server.admin_url}/readyz", key_set):
            places[url] = (await http.get(url)).content
    assert b'"kid"' in places[key_set]
    assert leaks(places, scene.secrets) == {}


async def test_no_command_shows_a_private_key(scene: Scene) -> None:
    """`config show` above all."""
    commands = (
        ("config", "show"),
        ("config", "show", "--json"),
        ("doctor", "--json"),
        ("keys", "list", "--json"),
        ("keys", "rotate", "--use", "refresh", "--json"),
        ("keys", "reencrypt", "--json"),
    )
    said = {" ".join(words): await asyncio.to_thread(scene.argus, *words) for words in commands}
    await scene.learn()
    assert "(set)" in said["config show"]
    assert leaks({words: text.encode() for words, text in said.items()}, scene.secrets) == {}


async def test_stores_and_their_backups_hold_no_private_key(scene: Scene, tmp_path: Path) -> None:
    """A dump of PostgreSQL, all its files with the write-ahead log, all keys of Redis, its log and its snapshot."""
    await scene.private.server.argus.effects.flush()
    assert leaks(await scene.stored(), scene.secrets) == {}
    for store in ("postgresql", "valkey"):
        assert found_below(backup(scene, store, tmp_path), scene.secrets) == {}


@pytest.mark.parametrize("form", ["raw", "hexadecimal", "pem", "jwk"])
async def test_the_search_finds_a_key_that_somebody_wrote_down(scene: Scene, tmp_path: Path, form: str) -> None:
    """In either store and its backup, in the forms in which keys are written down."""
    argus = scene.private.server.argus
    usable = await argus.signing_keys.usable(scene.api.tenant_id)
    written: dict[str, bytes] = {one.key.use: _form(one.private_key, form) for one in usable if one.private_key}
    async with argus.db.transaction() as tx:
        # Unlogged: what is in the write-ahead log stays there for the other tests to find.
        await tx.execute("CREATE UNLOGGED TABLE careless (use text, private bytea, as_text text)")
        for use, content in written.items():
            text = None if form == "raw" else content.decode()
            await tx.execute("INSERT INTO careless VALUES (%s, %s, %s)", (use, content, text))
    redis = argus.redis.client
    try:
        for use, content in written.items():
            await redis.hset("careless", use, content)
        found = leaks(await scene.stored(), scene.secrets)
        assert {uses_of(names) for names in found.values()} == {frozenset(written)}
        assert set(found) == {"pg_dump", "redis"}
        files = found_below(backup(scene, "valkey", tmp_path), scene.secrets)
        assert uses_of(set.union(*files.values())) == frozenset(written)
    finally:
        async with argus.db.transaction() as tx:
            await tx.execute("DROP TABLE careless")
        await redis.delete("careless")
        await redis.save()
        await redis.bgrewriteaof()
        async with asyncio.timeout(PATIENCE_SECONDS):
            while (await redis.info("persistence"))["aof_rewrite_in_progress"]:  # noqa: ASYNC110 - nobody says when
                await asyncio.sleep(0.05)


def backup(scene: Scene, store: str, folder: Path) -> Path:
    """A copy of a store's files."""
    return shutil.copytree(scene.data_of(store), folder / store)


def uses_of(names: set[str]) -> frozenset[str]:
    """Which kinds of keys were found."""
    return frozenset(name.partition(" ")[0] for name in names)


def _form(private_key: bytes, form: str) -> bytes:
    """A private key as people keep them."""
    if form == "raw":
        return private_key
    if form == "hexadecimal":
        return private_key.hex().encode()
    try:
        key = load_der_private_key(private_key, None)
    except ValueError:
        return base64.b64encode(private_key)
    if form == "pem":
        return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return b'{"d":"%s"}' % base64.urlsafe_b64encode(next(secret_parts(private_key)))
