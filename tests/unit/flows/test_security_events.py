"""What users are told of what happened to them."""

from typing import Final

from argus.base.events import EVENT_TYPES
from argus.flows.self.security_events import KINDS, SecurityEventKind
from argus.v1 import self_service_pb2 as pb

# What concerns no single user, or what services and Argus do all day in their names. What comes of a link in a mail has
# an event of its own (a new password, a session).
NOT_FOR_PEOPLE: Final = frozenset(
    name
    for name in EVENT_TYPES
    if name.partition(".")[0]
    in {
        "action",
        "audit",
        "caller",
        "channel",
        "client",
        "delivery",
        "group",
        "invitation",
        "key",
        "link",
        "login",
        "mail",
        "policy",
        "proof",
        "template",
    }
    | {"tenant", "theme", "token"}
) | {
    # What a stranger or an administrator asks for shows in a mail, and what comes of it has an event.
    "account.link_handed_over",
    "account.mail_withheld",
    "account.mailed",
    "account.recovery_sent",
    "account.registered",
    "account.requested",
    # The list of passkeys says it, and there is nothing to do about it.
    "credential.passkey_backup_changed",
    # For whoever watches the installation: a user could only guess what to do.
    "credential.passkey_counter_stalled",
    "credential.passkey_refused",
    # `device.reported` says it, and what to do.
    "credential.closed",
    # `device.created` says it; this one is for who is told besides (mails, webhooks).
    "device.new",
    # For administrators and for what judges devices.
    "device.posture_reported",
    "device.signalled",
    "factor.enrolment_started",
    "factor.proved",
    "guessing.throttled",
    "refresh.adopted",
    "refresh.generation_unexplained",
    "refresh.refused",
    # What an administrator has set shows in what it does.
    "session.policy_changed",
    "refresh.step_up_required",
    "session.discarded",
    # A service vouched for too little: nothing that its user could do.
    "session.level_refused",
    "step_up.started",
    "user.created",
    "user.deleted",
    "user.imported",
    "user.updated",
}


def test_of_every_event_it_is_decided_whether_users_are_told() -> None:
    """A new type is on one side or the other."""
    assert KINDS.keys() | NOT_FOR_PEOPLE == EVENT_TYPES.keys()
    assert not KINDS.keys() & NOT_FOR_PEOPLE


def test_the_codes_are_those_of_the_api() -> None:
    names = [value.name for value in pb.SecurityEventKind.DESCRIPTOR.values]
    told = {name.removeprefix("SECURITY_EVENT_KIND_") for name in names} - {"UNSPECIFIED"}
    assert {kind.name for kind in SecurityEventKind} == {kind.value for kind in SecurityEventKind} == told
