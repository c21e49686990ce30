"""Proofs of possession that bind a session to a key (RFC 9449, RFC 8705)."""

import asyncio
from typing import Final

from argus._core import Engine
from argus.base.clock import Now
from argus.base.errors import InvalidFieldError, UnavailableError
from argus.base.events import Event
from argus.base.origin import Origin
from argus.sessions.errors import ProofRequiredError
from argus.storage.postgres import Database
from argus.v1.types_pb2 import Confirmation, Proof

_GOOD: Final = 0
_FAULT: Final = 1
_FIELD: Final = 2


class Proofs:
    """Checks proofs; the engine does, as it does for refresh and verify."""

    def __init__(self, db: Database, engine: Engine, *, now: Now) -> None:
        self._db = db
        self._engine = engine
        self._now = now

    async def check(self, proof: Proof | None, *, origin: Origin, client_id: str) -> Confirmation | None:
        """What a request's proof binds a session to; None if there is no proof.

        A good proof is used up with it: it is taken once more for the same request to the byte, and for nothing else.

        Args:
            proof: The request's field, where it is set.
            origin: The request.
            client_id: Client that the session is of, for the audit.

        Raises:
            ProofRequiredError: The proof is not good; the class of its fault is in the audit.
            InvalidFieldError: What the caller says about the HTTP request can't be used.
            UnavailableError: A store is away; the proof is not used up.
        """
        if proof is None:
            return None
        kind, content = await asyncio.to_thread(
            self._engine.check_proof,
            proof.SerializeToString(),
            tenant_id=origin.tenant_id,
            caller=origin.actor,
            attempt=None if origin.validate_only else origin.request_sha256,
        )
        if kind == _GOOD:
            return Confirmation.FromString(content)
        text = content.decode()
        if kind == _FIELD:
            field, _, rule = text.partition(" ")
            raise InvalidFieldError(field, rule)
        if kind != _FAULT:
            raise UnavailableError(text)
        event = Event(type="proof.refused", outcome="failure", reason=text, client_id=client_id)
        await self._db.record(origin, event, self._now())
        raise ProofRequiredError("dpop" if proof.WhichOneof("kind") != "mtls_certificate_sha256" else "mtls")
