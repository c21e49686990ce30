"""An installation of which everything was asked that has to do with keys, and what it left behind."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import traceback
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import pytest
from redis.asyncio import Redis

from argus._core import Engine
from argus.storage.binaries import find_binaries
from argus.tokens.model import DamagedSecretError, WrongKeyEncryptionKeyError
from argus.v1 import key_service_pb2 as keys
from tests.support.logs import captured_logs
from tests.support.needles import secret_parts
from tests.support.people import new_person, refresh, verify

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from argus.server.api import Api
    from argus.server.private_stack import PrivateStack
    from argus.storage.embedded import EmbeddedStores

PATIENCE_SECONDS: Final = 60.0

_PROGRAM: Final = "from argus.cli.main import main; main()"
_USES: Final = (keys.KEY_USE_ACCESS, keys.KEY_USE_REFRESH, keys.KEY_USE_REFRESH_ID)


class Scene:
    """An installation of which everything was asked, its secrets, and a log of it at the lowest level."""

    def __init__(self, own: EmbeddedStores, private: PrivateStack, api: Api, folder: Path) -> None:
        self.stores = own
        self.private = private
        self.api = api
        self.folder = folder
        self.secrets: dict[str, bytes] = {}
        self.answers: list[str] = []

    async def learn(self) -> None:
        """Takes up every secret that there is, over and over, because keys come and go."""
        argus, kek = self.private.server.argus, self.private.settings.key_encryption_bytes()
        assert kek is not None
        self.secrets["key-encryption key"] = kek
        for one in await argus.signing_keys.usable(self.api.tenant_id):
            # One that was pulled is gone: it was learnt before.
            for number, part in enumerate(secret_parts(one.private_key) if one.private_key else []):
                self.secrets[f"{one.key.use} {one.key.kid} {number}"] = part
        for name in ("bucket", "identifier_hmac"):
            self.secrets[name] = await argus.snapshot._secrets.get(name)

    async def run_everything(self) -> None:
        """Signs in, refreshes, verifies, rotates and pulls keys, and lets things go wrong."""
        person = await new_person(self.api)
        for use in _USES:
            done = await person.sign_in()
            await verify(self.api, (await refresh(self.api, done.tokens.refresh_token)).tokens.access_token)
            made = await self.api.keys.RotateKey(
                keys.RotateKeyRequest(parent=self.api.parent, use=use, immediate=use != keys.KEY_USE_ACCESS)
            )
            await self.learn()
            pulled = await self.api.keys.RevokeKey(keys.RevokeKeyRequest(name=made.key.name, comment="drill"))
            await self.private.server.argus.snapshot.refresh()
            await self.learn()
            self.answers += [str(made), str(pulled)]
        listed = await self.api.keys.ListKeys(keys.ListKeysRequest(parent=self.api.parent, page_size=100))
        self.answers.append(str(listed))

    async def things_go_wrong(self) -> None:
        """Keys that can't be read, and one that the engine refuses: what is said about it, with all of its trace."""
        argus, tenant = self.private.server.argus, self.api.tenant_id
        async with argus.db.transaction() as tx:
            await tx.execute("UPDATE signing_keys SET private_ciphertext = private_ciphertext || 'x', state = state")
        await argus.snapshot.refresh()
        assert argus.snapshot.fault
        for fault in [one.fault for one in await argus.signing_keys.usable(tenant) if one.fault]:
            assert isinstance(fault, DamagedSecretError)
            self.answers += [repr(fault), "".join(traceback.format_exception(fault))]
        async with argus.db.transaction() as tx:
            await tx.execute(
                "UPDATE signing_keys"
                " SET private_ciphertext = substr(private_ciphertext, 1, length(private_ciphertext) - 1), state = state"
            )
        await argus.snapshot.refresh()
        assert not argus.snapshot.fault
        # Into an engine of its own: the server's has to go on with what it knows.
        engine = Engine(redis_url=self.private.settings.redis_url.get_secret_value(), clock=self.private.clock)
        refused = engine.load(await self._spoilt_snapshot())
        assert all("cannot be used" in fault for fault in refused)
        assert refused
        self.answers += refused
        with pytest.raises(WrongKeyEncryptionKeyError) as wrong:
            await argus.keks.decrypt(b"", kek_id="none", place="nowhere")
        self.answers.append(repr(wrong.value))

    async def _spoilt_snapshot(self) -> bytes:
        """A snapshot whose keys are named wrongly."""
        from argus.internal.v1 import engine_pb2

        argus = self.private.server.argus
        usable = await argus.signing_keys.usable(self.api.tenant_id)
        spoilt = [
            engine_pb2.KeySnapshot(
                kid="0" if one.key.use == "refresh_id" else "another",
                use=engine_pb2.SNAPSHOT_KEY_USE_ACCESS,
                algorithm="RS256",
                private_key=one.private_key,
            )
            for one in usable
            if one.private_key
        ]
        tenants = [engine_pb2.TenantSnapshot(id="a", issuer="https://a.example.com", keys=spoilt)]
        return engine_pb2.Snapshot(
            version=10**9, bucket_key=await argus.snapshot._secrets.get("bucket"), tenants=tenants
        ).SerializeToString()

    async def shown(self) -> str:
        """Everything that has a `repr`."""
        argus = self.private.server.argus
        parts = [argus, argus.settings, argus.signing_keys, argus.keks, argus.snapshot, argus.engine]
        parts += [vars(argus.signing_keys), vars(argus.keks)["_ciphers"], argus.reencryption]
        parts += [await argus.signing_keys.usable(self.api.tenant_id)]
        material = await argus.signing_keys.generate_ring()
        for one in material:
            for number, part in enumerate(secret_parts(one.private_key)):
                self.secrets[f"{one.use} unused {number}"] = part
        return "\n".join(f"{part} {part!r}" for part in [*parts, *material])

    def argus(self, *words: str) -> str:
        """What a command says, and what there is to see of it from outside."""
        settings = self.private.settings
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("ARGUS_")},
            "ARGUS_REDIS_URL": settings.redis_url.get_secret_value(),
            "ARGUS_DATABASE_URL": settings.database_url.get_secret_value(),
            "ARGUS_KEY_ENCRYPTION_KEY": settings.key_encryption_key.get_secret_value(),
            "ARGUS_LOG_LEVEL": "debug",
            "ARGUS_TENANT": self.api.tenant_id,
        }
        command = [sys.executable, "-c", _PROGRAM, *words]
        ended = subprocess.run(
            command,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
            timeout=PATIENCE_SECONDS,
            cwd=self.folder,
        )
        return ended.stdout + ended.stderr

    async def stored(self) -> dict[str, bytes]:
        """What the stores tell whoever may ask them everything."""
        pg_dump = find_binaries(None, None).postgres.with_name("pg_dump")
        command = [str(pg_dump), "--dbname", self.private.settings.database_url.get_secret_value()]
        dump = await asyncio.to_thread(_output_of, command)
        assert b"COPY public.signing_keys" in dump
        contents: list[Any] = []
        async with Redis.from_url(self.private.settings.redis_url.get_secret_value()) as redis:
            await redis.save()
            async for key in redis.scan_iter(count=1000):
                contents += [key, await redis.dump(key)]
                match str(await redis.type(key)):
                    case "b'string'":
                        contents.append(await redis.get(key))
                    case "b'hash'":
                        contents += (await redis.hgetall(key)).values()
                    case "b'zset'":
                        contents += await redis.zrange(key, 0, -1)
        assert len(contents) > 10
        return {"pg_dump": dump, "redis": b"\n".join(contents)}

    def data_of(self, store: str) -> Path:
        """Folder of a store's data."""
        home = self.stores._home
        assert home is not None
        return home.path / store


def _output_of(command: list[str]) -> bytes:
    return subprocess.check_output(command, timeout=PATIENCE_SECONDS)


@asynccontextmanager
async def key_scene(folder: Path) -> AsyncIterator[Scene]:
    """Starts stores and a server in a folder, asks for everything, and keeps what was said."""
    from argus.server.private_stack import stack_over
    from argus.storage.embedded import EmbeddedStores

    with EmbeddedStores(folder / "stores") as own:
        async with stack_over(own.urls) as private, private.fresh_tenant() as api:
            scene = Scene(own, private, api, folder)
            with captured_logs(redact=False) as log:
                await scene.learn()
                await scene.run_everything()
                await scene.things_go_wrong()
            scene.answers.append(log.getvalue())
            yield scene
        own.delete()
