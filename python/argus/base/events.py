"""What the audit table records."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

EVENT_TYPES: Final[dict[str, str]] = {
    "caller.refused": "A caller's token that names the tenant was refused.",
    "client.created": "A service client was made.",
    "client.credentials_refused": "Client id and secret did not fit.",
    "client.deleted": "A service client was deleted.",
    "client.secret_rotated": "A service client got a new secret.",
    "client.sessions_ended": "All sessions and client tokens of a client up to a moment were ended.",
    "client.token_issued": "A service client got a client token.",
    "client.updated": "A service client was changed.",
    "credential.closed_to_unknown_devices": "Too many failures from unknown devices: only known ones may use it now.",
    "credential.deleted": "A credential was deleted.",
    "credential.password_set": "A user's password was set.",
    "device.created": "A device was seen for the first time.",
    "factor.refused": "A factor did not fit, or there is no such user.",
    "group.created": "A group was made.",
    "group.deleted": "A group was deleted.",
    "group.member_added": "A user joined a group.",
    "group.member_removed": "A user left a group.",
    "guessing.throttled": "A try was turned away because of the failures before it.",
    "identifier.added": "A user got a further identifier.",
    "identifier.removed": "An identifier of a user was removed.",
    "key.compromise_suspected": "A token's signature is good and its computed id is not: a key may be in other hands.",
    "key.created": "A signing key was made.",
    "key.encrypted_anew": "All keys and secrets of the installation went under the present key-encryption key.",
    "key.revoked": "A key was pulled in an emergency.",
    "key.rotated": "A new key takes over from the active one.",
    "key.state_changed": "A key went on to its next state by schedule.",
    "login.cancelled": "A login was given up.",
    "login.completed": "A login was completed.",
    "login.started": "A login was started.",
    "policy.updated": "A policy was changed.",
    "proof.refused": "A proof of possession was missing or not good.",
    "refresh.adopted": "A refresh token newer than the record was taken over.",
    "refresh.contested": "A refresh token two or more generations old was presented: the session is contested.",
    "refresh.generation_unexplained": "A refresh token newer than the record was taken over, and the record was never "
    "rebuilt: a store lost writes unseen, or somebody else makes tokens.",
    "refresh.refused": "A refresh was refused.",
    "refresh.step_up_required": "A refresh was answered with the demand to step up.",
    "session.created": "A session began.",
    "session.discarded": "A session whose creation was cut short was removed; nobody has tokens of it.",
    "session.ended": "A session ended.",
    "session.limit_reached": "A sign-in was refused because of the session limit.",
    "session.stepped_up": "A user proved itself anew: the session has a new refresh family, the older ones are over.",
    "session.updated": "A session was renamed or regrouped.",
    "step_up.started": "A step-up was started.",
    "tenant.created": "A tenant was made.",
    "tenant.recovered": "PostgreSQL came back from a backup: all sessions of a tenant up to a moment were ended.",
    "tenant.sessions_ended": "All sessions of a tenant up to a moment were ended.",
    "tenant.updated": "A tenant was changed.",
    "token.refreshed": "A refresh token was changed for new tokens.",
    "token.refused": "A presented token was refused.",
    "token.revoked": "A token was revoked by its client (RFC 7009).",
    "user.created": "A user was made.",
    "user.deleted": "A user was deleted.",
    "user.disabled": "A user was disabled.",
    "user.enabled": "A user was enabled again.",
    "user.sessions_ended": "All sessions of a user up to a moment were ended.",
    "user.updated": "A user was changed.",
}
"""Every type, as noun.verb, with its meaning; docs/reference/events.md is made from it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened; tenant, actor, request and address are those of its `Origin`.

    Attributes:
        type: One of `EVENT_TYPES`.
        outcome: Whether what was asked for happened.
        reason: Reason code where there is one.
        user_id: User it concerns.
        session_id: Session it concerns.
        client_id: Client it concerns.
        data: Further facts; never a secret.
    """

    type: str
    outcome: Literal["success", "failure"] = "success"
    reason: str | None = None
    user_id: str | None = None
    session_id: str | None = None
    client_id: str | None = None
    data: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuses a type that is not listed."""
        if self.type not in EVENT_TYPES:
            raise ValueError(f"{self.type} is not in EVENT_TYPES")
