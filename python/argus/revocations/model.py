"""What is over, how far somebody has read, and the tokens that say so."""

import base64
import hashlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, Self

RevocationKind = Literal["session", "user", "client", "tenant", "key"]

PAGE: Final = 1000
"""Most revocations of a page or message."""

_MAC_BYTES: Final = 16
# Transactions under way that a token may name; with more of them the token stands for less than was read.
_MOST_TEXT: Final = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Revocation:
    """Something that makes tokens be over.

    Attributes:
        subject: Id of what it is about, as tokens carry it; empty for a tenant.
        time: When it was over; of a user, client or tenant: what was issued up to then is over.
        expire_time: From then on no token that it is about can be good.
        reason: Name of the end's reason, of a session; else empty.
    """

    kind: RevocationKind
    subject: str
    time: datetime
    expire_time: datetime
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """How far somebody has read: exactly what a snapshot of PostgreSQL shows.

    Numbers that count up with each row would not do: what got the lower one may be committed later.

    Attributes:
        server: Which PostgreSQL, and since when it runs: one that was restored may use its transaction ids anew.
        snapshot: Its `pg_snapshot`.
    """

    server: str
    snapshot: str

    def before_all(self) -> Self:
        """Of the same server, of somebody who has read nothing."""
        return type(self)(server=self.server, snapshot="1:1:")

    def shortened(self) -> Self:
        """The same, or of somebody who has read a little less, if there are too many transactions under way to name."""
        if len(self.snapshot) <= _MOST_TEXT:
            return self
        oldest = self.snapshot.partition(":")[0]
        return type(self)(server=self.server, snapshot=f"{oldest}:{oldest}:")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A piece of a stream.

    Attributes:
        revocations: What it adds.
        resume_token: Stands for all up to here; empty before a whole list is complete.
        state_time: All that had ended by then is contained; None before a whole list is complete.
        is_snapshot: It belongs to a whole list.
    """

    revocations: Sequence[Revocation] = ()
    resume_token: str = ""
    state_time: datetime | None = None
    is_snapshot: bool = False


class ResumeTokens:
    """Makes tokens that say how far somebody has read, and knows its own.

    They hold no secret. Whoever made one up would keep news from nobody but itself; the seal is there so that one of
    another tenant, or a damaged one, leads to the whole list and not to a part of it.
    """

    def __init__(self, key: bytes) -> None:
        """Makes and reads tokens.

        Args:
            key: The same in every process of an installation.
        """
        self._key = key

    def encode(self, tenant_id: str, cursor: Cursor) -> str:
        """The token of a tenant's reader."""
        short = cursor.shortened()
        return self.seal("resume", tenant_id, (short.server, short.snapshot))

    def decode(self, tenant_id: str, token: str) -> Cursor | None:
        """How far the holder has read; None: nothing is known about it."""
        match self.open("resume", tenant_id, token):
            case [str(server), str(snapshot)]:
                return Cursor(server=server, snapshot=snapshot)
            case _:
                return None

    def seal(self, use: str, tenant_id: str, content: Sequence[str]) -> str:
        """Some texts, for one use in one tenant."""
        body = json.dumps(content, separators=(",", ":")).encode()
        return base64.urlsafe_b64encode(self._mac(use, tenant_id, body) + body).rstrip(b"=").decode()

    def open(self, use: str, tenant_id: str, token: str) -> Any:
        """What was sealed; None for whatever was not sealed here for that."""
        try:
            raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        except ValueError:
            return None
        mac, body = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
        return json.loads(body) if hmac.compare_digest(mac, self._mac(use, tenant_id, body)) else None

    def _mac(self, use: str, tenant_id: str, body: bytes) -> bytes:
        named = f"{use}\0{tenant_id}\0".encode() + body
        return hmac.new(self._key, named, hashlib.sha256).digest()[:_MAC_BYTES]
