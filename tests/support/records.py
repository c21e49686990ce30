"""The packed values of Redis, written down a second time: a change of the layout must show."""

import struct
from dataclasses import dataclass
from typing import Self

_SESSION = struct.Struct(">BBB8sIII4s4s16s16sIIIIBHIB12s")
_TOMBSTONE = struct.Struct(">BBB8sI")
_USER = struct.Struct(">BB8sI")
_NOT_BEFORE = struct.Struct(">B8sI")

ACTIVE, CONTESTED, ENDED = 1, 2, 3
BOUND, BY_ROTATION, REBUILT = 1, 2, 4
NO_LINEAGE = bytes(8)
SESSION_SIZE = _SESSION.size


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A living session."""

    created: int
    idle_deadline: int
    absolute_deadline: int
    version: int = 1
    state: int = ACTIVE
    flags: int = 0
    lineage: bytes = NO_LINEAGE
    family: int = 1
    generation: int = 1
    made: int = 0
    attempt: bytes = bytes(4)
    print: bytes = bytes(4)
    binding: bytes = bytes(16)
    device: bytes = b"device" + bytes(10)
    policy_revision: int = 5
    acr: int = 2
    amr: int = 3
    auth_time: int = 0
    refresh_id_key: int = 9
    context: bytes = b"context" + bytes(5)

    def pack(self) -> bytes:
        """The 99 bytes."""
        head = (self.version, self.state, self.flags, self.lineage, self.family, self.generation, self.made)
        holder = (self.attempt, self.print, self.binding, self.device)
        deadlines = (self.created, self.idle_deadline, self.absolute_deadline)
        rest = (self.policy_revision, self.acr, self.amr, self.auth_time, self.refresh_id_key, self.context)
        return _SESSION.pack(*head, *holder, *deadlines, *rest)

    @classmethod
    def unpack(cls, value: bytes) -> Self:
        """From 99 bytes."""
        names = (
            *("version", "state", "flags", "lineage", "family", "generation", "made"),
            *("attempt", "print", "binding", "device", "created", "idle_deadline", "absolute_deadline"),
            *("policy_revision", "acr", "amr", "auth_time", "refresh_id_key", "context"),
        )
        return cls(**dict(zip(names, _SESSION.unpack(value), strict=True)))


def tombstone(lineage: bytes, reason: int, ended_at: int) -> bytes:
    """The 15 bytes of an ended session."""
    return _TOMBSTONE.pack(1, ENDED, reason, lineage, ended_at)


def user_record(lineage: bytes = NO_LINEAGE, *, disabled: int = 0, not_before: int = 0) -> bytes:
    """The 14 bytes of a user."""
    return _USER.pack(1, disabled, lineage, not_before)


def not_before_value(lineage: bytes, not_before: int) -> bytes:
    """The 13 bytes of a tenant's or client's not-before."""
    return _NOT_BEFORE.pack(1, lineage, not_before)
