"""What can be done with channels."""

import base64
import secrets as randomness
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol

from argus.base.clock import Now
from argus.base.errors import EtagMismatchError, InvalidFieldError
from argus.base.events import Event
from argus.base.ids import new_id
from argus.base.origin import Origin
from argus.notifications.channels import store
from argus.notifications.channels.model import (
    MAX_CHANNELS,
    MAX_OVERLAP,
    PAUSED_AFTER,
    Channel,
    ChannelFields,
    ChannelKind,
    ChannelNotFoundError,
    ChannelSecret,
    TooManyChannelsError,
    channel_name,
    check_fields,
    secret_place,
)
from argus.storage.postgres import Database, Transaction

_BYTES = 32
_NOW = timedelta(0)


class Sealing(Protocol):
    """Encrypts secrets at rest."""

    async def encrypt(self, tx: Transaction, plaintext: bytes, *, place: str) -> tuple[bytes, str]:
        """Ciphertext, and the id of the key that it is under."""

    async def decrypt_now(self, ciphertext: bytes, *, kek_id: str, place: str) -> bytes:
        """What `encrypt` was given, without waiting for anybody."""


class Endpoints(Protocol):
    """Says where something may be sent."""

    def check(self, kind: ChannelKind, url: str) -> str:
        """The address as it is kept; raises `EndpointRefusedError`."""


class Channels:
    """The channels of all tenants."""

    def __init__(self, db: Database, sealing: Sealing, endpoints: Endpoints, *, now: Now) -> None:
        self._db = db
        self._sealing = sealing
        self._endpoints = endpoints
        self._now = now

    async def create(
        self, tenant_id: str, kind: ChannelKind, fields: ChannelFields, *, password: str = "", origin: Origin
    ) -> tuple[Channel, str]:
        """Makes a channel; and the secret of a webhook, which nobody can be told again.

        Raises:
            InvalidFieldError: A field can't be so.
            EndpointRefusedError: Nothing is sent there.
            TooManyChannelsError: The tenant has as many as it may have.
            RequestAlreadyDoneError: The request was carried out before.
        """
        check_fields(kind, fields, ("event_types", "sender"))
        _check_password(kind, fields.username, password)
        now = self._now()
        channel = Channel(
            tenant_id=tenant_id,
            channel_id=new_id(),
            kind=kind,
            display_name=fields.display_name,
            url=self._endpoints.check(kind, fields.url),
            event_types=tuple(fields.event_types),
            use_templates=fields.use_templates,
            locale=fields.locale,
            username=fields.username,
            sender=fields.sender,
            state="active",
            pause_reason="",
            pause_time=None,
            failing_since_time=None,
            last_success_time=None,
            create_time=now,
            revision=1,
        )
        secret = new_webhook_secret() if kind == "webhook" else ""
        async with self._db.transaction(origin, now=now) as tx:
            await tx.claim(channel.name, now=now)
            # One at a time for a tenant, or two would both be the last one.
            await tx.execute("SELECT 1 FROM tenants WHERE tenant_id = %s FOR NO KEY UPDATE", (tenant_id,))
            if len(await store.of_tenant(tx, tenant_id)) >= MAX_CHANNELS:
                raise TooManyChannelsError
            await store.insert(tx, channel)
            if secret or password:
                await self._keep_secret(tx, channel, secret or password, until=now)
            tx.record(Event(type="channel.created", data={"channel": channel.channel_id, "kind": kind}), time=now)
        return channel, secret

    async def get(self, tenant_id: str, channel_id: str) -> Channel:
        """The channel.

        Raises:
            ChannelNotFoundError: There is none of that id.
        """
        channel = await store.find(self._db, tenant_id, channel_id)
        if channel is None:
            raise ChannelNotFoundError(channel_id)
        return channel

    async def list(self, tenant_id: str) -> Sequence[Channel]:
        """All channels of a tenant, by id."""
        return await store.of_tenant(self._db, tenant_id)

    async def update(
        self,
        tenant_id: str,
        channel_id: str,
        fields: ChannelFields,
        *,
        paths: Collection[str],
        password: str = "",
        etag: str = "",
        origin: Origin,
        also: Callable[[Transaction, Channel], Awaitable[None]],
    ) -> Channel:
        """Changes the fields of `paths`, and what `also` does with it; a password goes with its user and its server.

        Raises:
            ChannelNotFoundError: There is none of that id.
            EtagMismatchError: It changed since `etag` was read.
            InvalidFieldError: A field can't be so.
            EndpointRefusedError: Nothing is sent there.
            RequestAlreadyDoneError: The request was carried out before.
        """
        now = self._now()
        async with self._db.transaction(origin, now=now) as tx:
            await tx.claim(channel_name(tenant_id, channel_id), now=now)
            channel = await self._lock(tx, tenant_id, channel_id)
            if etag and etag != channel.etag:
                raise EtagMismatchError(channel.etag)
            check_fields(channel.kind, fields, sorted(paths))
            said = {path: getattr(fields, path) for path in paths}
            if "url" in said:
                said["url"] = self._endpoints.check(channel.kind, fields.url)
            changed = replace(channel, **said, revision=channel.revision + 1)
            # Whoever may lead the channel elsewhere need not know the password, and must not be sent it.
            if changed.username != channel.username or changed.url != channel.url or password:
                _check_password(changed.kind, changed.username, password)
            if "state" in said:
                changed = replace(changed, pause_reason="", pause_time=None, failing_since_time=None)
            await store.update(tx, changed)
            if password:
                await self._keep_secret(tx, changed, password, until=now)
            await also(tx, changed)
            data = {"channel": channel_id, "paths": " ".join(sorted(paths))}
            tx.record(Event(type="channel.updated", data=data), time=now)
        return changed

    async def delete(self, tx: Transaction, tenant_id: str, channel_id: str) -> None:
        """Deletes a channel and its secrets, within `tx`.

        Raises:
            ChannelNotFoundError: There is none of that id.
        """
        await self._lock(tx, tenant_id, channel_id)
        await store.delete(tx, tenant_id, channel_id)
        tx.record(Event(type="channel.deleted", data={"channel": channel_id}))

    async def rotate_secret(
        self, tenant_id: str, channel_id: str, *, overlap: timedelta, origin: Origin
    ) -> tuple[str, datetime]:
        """Gives a webhook a new secret, and says until when the one before signs, too.

        Raises:
            ChannelNotFoundError: There is none of that id.
            InvalidFieldError: It is no webhook, or the overlap is too long.
        """
        if not _NOW <= overlap <= MAX_OVERLAP:
            raise InvalidFieldError("overlap", f"must be from 0 s to {MAX_OVERLAP.days} days")
        now, secret = self._now(), new_webhook_secret()
        async with self._db.transaction(origin, now=now) as tx:
            channel = await self._lock(tx, tenant_id, channel_id)
            if channel.kind != "webhook":
                raise InvalidFieldError("name", "must be a webhook; a mail server's password is changed by an update")
            await self._keep_secret(tx, channel, secret, until=now + overlap)
            tx.record(Event(type="channel.secret_rotated", data={"channel": channel_id}), time=now)
        return secret, now + overlap

    async def resume(self, tx: Transaction, tenant_id: str, channel_id: str) -> Channel:
        """Makes a paused channel active again, within `tx`.

        Raises:
            ChannelNotFoundError: There is none of that id.
        """
        channel = await self._lock(tx, tenant_id, channel_id)
        if channel.state != "paused":
            return channel
        resumed = replace(channel, state="active", pause_reason="", pause_time=None, failing_since_time=None)
        await store.update(tx, resumed)
        tx.record(Event(type="channel.resumed", data={"channel": channel_id}))
        return resumed

    async def hold(self, tx: Transaction, tenant_id: str, channel_id: str) -> None:
        """Keeps a channel, if there is one, as it is until `tx` ends: before its deliveries, as turning off does."""
        await store.lock(tx, tenant_id, channel_id)

    async def note_success(self, tx: Transaction, tenant_id: str, channel_id: str) -> None:
        """Something has arrived, says `tx`."""
        await store.succeeded(tx, tenant_id, channel_id, at=self._now())

    async def note_failure(
        self, tx: Transaction, tenant_id: str, channel_id: str, *, reason: str, is_gone: bool
    ) -> None:
        """A try has failed: pauses a channel that has failed for `PAUSED_AFTER`, or says that it is gone."""
        now = self._now()
        since = await store.failed(tx, tenant_id, channel_id, at=now)
        if since is None or not (is_gone or now - since >= PAUSED_AFTER):
            return
        if await store.pause(tx, tenant_id, channel_id, reason=reason, at=now):
            data = {"channel": channel_id, "since": since.isoformat()}
            tx.record(Event(type="channel.paused", outcome="failure", reason=reason, data=data), time=now)

    async def secrets(self, tenant_id: str, channel_id: str) -> Sequence[str]:
        """The secrets that are good now, the newest first.

        Raises:
            UnreadableSecretError: One can't be decrypted.
            KeyEncryptionUnavailableError: The key that it is under was not unwrapped yet.
        """
        found = await store.secrets(self._db, tenant_id, channel_id, now=self._now())
        return [
            (
                await self._sealing.decrypt_now(
                    one.ciphertext, kek_id=one.kek_id, place=secret_place(tenant_id, channel_id, one.secret_id)
                )
            ).decode()
            for one in found
        ]

    async def _lock(self, tx: Transaction, tenant_id: str, channel_id: str) -> Channel:
        channel = await store.lock(tx, tenant_id, channel_id)
        if channel is None:
            raise ChannelNotFoundError(channel_id)
        return channel

    async def _keep_secret(self, tx: Transaction, channel: Channel, secret: str, *, until: datetime) -> None:
        secret_id = new_id()
        place = secret_place(channel.tenant_id, channel.channel_id, secret_id)
        ciphertext, kek_id = await self._sealing.encrypt(tx, secret.encode(), place=place)
        kept = ChannelSecret(secret_id=secret_id, ciphertext=ciphertext, kek_id=kek_id, expire_time=None)
        await store.replace_secret(tx, channel.tenant_id, channel.channel_id, kept, at=self._now(), until=until)


def new_webhook_secret() -> str:
    """A secret as Standard Webhooks has them: 32 random bytes."""
    return "whsec_" + base64.b64encode(randomness.token_bytes(_BYTES)).decode()


def _check_password(kind: ChannelKind, username: str, password: str) -> None:
    if kind == "webhook" and password:
        raise InvalidFieldError("password", "is of mail servers; a webhook is signed")
    if kind == "smtp" and bool(username) != bool(password):
        raise InvalidFieldError(
            "password", "goes with channel.username and channel.url: say it with them, or none of it"
        )
