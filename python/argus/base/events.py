"""What the audit table records."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

EVENT_TYPES: Final[dict[str, str]] = {
    "account.link_handed_over": "An administrator was shown a link by which a user sets a new password.",
    "account.mail_withheld": "What somebody asked for leads to no mail; the reason says why.",
    "account.mailed": "What somebody asked for leads to a mail.",
    "account.recovered": "A user set a new password by a link, which came by mail or was handed over.",
    "account.recovery_sent": "An administrator had a link sent by which a user sets a new password.",
    "account.registered": "Somebody registered.",
    "account.requested": "Somebody who has proved nothing asked for a mail.",
    "action.confirmed": "The one action that a user has stepped up for was confirmed to who carries it out.",
    "action.refused": "An action token was not good for the action.",
    "audit.purged": "Audit events were deleted that were older than the policy keeps them; `events` says how many.",
    "caller.refused": "A caller's token that names the tenant was refused.",
    "channel.created": "A channel for notifications was made.",
    "channel.deleted": "A channel was deleted, with all that waited for it.",
    "channel.paused": "A channel has failed for long, or its endpoint is gone: what is to be sent waits.",
    "channel.resumed": "A paused channel sends again.",
    "channel.secret_rotated": "A webhook got a new secret.",
    "channel.tested": "A test event; it is sent to a webhook on demand and stands in no audit.",
    "channel.updated": "A channel was changed.",
    "client.created": "A service client was made.",
    "client.credentials_refused": "Client id and secret did not fit.",
    "client.deleted": "A service client was deleted.",
    "client.secret_rotated": "A service client got a new secret.",
    "client.sessions_ended": "All sessions and client tokens of a client up to a moment were ended.",
    "client.token_issued": "A service client got a client token.",
    "client.updated": "A service client was changed.",
    "credential.closed": "A password is refused everywhere until it is replaced.",
    "credential.closed_to_unknown_devices": "Too many failures from unknown devices: only known ones may use it now.",
    "credential.deleted": "A credential was deleted.",
    "credential.enrolled": "A user got a further factor, or new recovery codes.",
    "credential.passkey_backup_changed": "A passkey was backed up (synced) for the first time, or is so no longer.",
    "credential.passkey_counter_stalled": "The counter of a passkey did not grow: there may be a copy of its "
    "authenticator.",
    "credential.passkey_refused": "The answer of an authenticator to a registration broke a rule.",
    "credential.passkey_renamed": "A passkey got another name.",
    "credential.password_set": "A user's password was set.",
    "credential.recovery_code_used": "A recovery code was used; `left` says how many there are.",
    "credential.renamed": "A user gave a factor another name.",
    "delivery.dead": "Something could not be sent and was given up; it can be sent again.",
    "delivery.retried": "A dead letter is sent again.",
    "device.created": "A device was seen for the first time; `similar_to` is the known one that it looks most like.",
    "device.distrusted": "A device is trusted no longer.",
    "device.forgotten": "A device was forgotten: it is unknown from then on.",
    "device.new": "Somebody who has used other devices before signed in on a new one.",
    "device.posture_reported": "A service has reported the state of a device.",
    "device.reported": "By the link of a mail a device was said to be somebody else's: its sessions ended, it was "
    "forgotten, and the password was closed.",
    "device.signalled": "Something about a device is odd; the reason says what.",
    "device.trusted": "A device was trusted for a time.",
    "device.updated": "A device was renamed or regrouped.",
    "factor.enrolment_started": "A login began to enrol a factor.",
    "factor.proved": "A factor was accepted, and the login goes on.",
    "factor.refused": "A factor did not fit, or there is no such user.",
    "group.created": "A group was made.",
    "group.deleted": "A group was deleted.",
    "group.member_added": "A user joined a group.",
    "group.member_removed": "A user left a group.",
    "guessing.throttled": "A try was turned away because of the failures before it.",
    "identifier.added": "A user got a further identifier.",
    "identifier.removed": "An identifier of a user was removed.",
    "identifier.verified": "A user has shown to read the mail of an address.",
    "invitation.accepted": "An invited user chose a password.",
    "invitation.sent": "A user was invited.",
    "key.compromise_suspected": "A token's signature is good and its computed id is not: a key may be in other hands.",
    "key.created": "A signing key was made.",
    "key.encrypted_anew": "All keys and secrets of the installation went under the present key-encryption key.",
    "key.revoked": "A key was pulled in an emergency.",
    "key.rotated": "A new key takes over from the active one.",
    "key.state_changed": "A key went on to its next state by schedule.",
    "link.refused": "A link of a mail was presented that is not good: the reason says why.",
    "login.cancelled": "A login was given up.",
    "login.completed": "A login was completed.",
    "login.started": "A login was started.",
    "mail.given_up": "A mail could not be handed over until nobody wanted it any more.",
    "mail.refused": "The mail server does not take a mail, or its address is none.",
    "mail.sent": "A mail was handed over.",
    "policy.activated": "A revision of a policy was put in force, or is tried beside the one in force.",
    "policy.rolled_back": "The revision of a policy is in force again that was before.",
    "policy.simulated": "Somebody began to try a policy on what users did in a time.",
    "policy.updated": "A policy got a new revision.",
    "policy.would_differ": "A policy that is only tried would have decided otherwise of a sign-in.",
    "preferences.updated": "It was changed which notices a user gets.",
    "proof.refused": "A proof of possession was missing or not good.",
    "refresh.adopted": "A refresh token newer than the record was taken over.",
    "refresh.contested": "A refresh token two or more generations old was presented: the session is contested.",
    "refresh.generation_unexplained": "A refresh token newer than the record was taken over, and the record was never "
    "rebuilt: a store lost writes unseen, or somebody else makes tokens.",
    "refresh.refused": "A refresh was refused.",
    "refresh.step_up_required": "A refresh was answered with the demand to step up.",
    "session.context_changed": "A session was used in another context; `response`: what the policy does about it.",
    "session.created": "A session began.",
    "session.discarded": "A session whose creation was cut short was removed; nobody has tokens of it.",
    "session.ended": "A session ended.",
    "session.level_refused": "No session began: the policy requires a higher level than was proved.",
    "session.limit_reached": "A sign-in was refused because of the session limit.",
    "session.policy_changed": "A session goes on under another policy; the reason: POLICY, one was changed, or the "
    "groups of its user were; RULE, what a rule speaks of has changed. `before` and `revision`: numbers of the two.",
    "session.stepped_up": "A user proved itself anew: the session has a new refresh family, the older ones are over.",
    "session.updated": "A session was renamed or regrouped.",
    "step_up.started": "A step-up was started.",
    "tenant.created": "A tenant was made.",
    "tenant.passkey_rules_updated": "A tenant's rules for passkeys were changed.",
    "tenant.plan_changed": "A tenant was given another plan or other add-ons.",
    "tenant.recovered": "PostgreSQL came back from a backup: all sessions of a tenant up to a moment were ended.",
    "tenant.sessions_ended": "All sessions of a tenant up to a moment were ended.",
    "tenant.updated": "A tenant was changed.",
    "template.deleted": "A tenant's own words for a notice were deleted.",
    "template.set": "A tenant said a notice in words of its own.",
    "theme.changed": "How the pages of a tenant look was changed.",
    "token.refreshed": "A refresh token was changed for new tokens.",
    "token.refused": "A presented token was refused.",
    "token.revoked": "A token was revoked by its client (RFC 7009).",
    "user.created": "A user was made.",
    "user.deleted": "A user was deleted; the reason UNUSED: it was disabled for want of use, and nobody enabled it "
    "for as long as the policy says.",
    "user.disabled": "A user was disabled; the reason UNUSED: nobody had used it for as long as the policy says.",
    "user.enabled": "A user was enabled again.",
    "user.imported": "A user was taken over from another system; `hash` is the kind of its password hash.",
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
        told: What its user's mail says beside it (`flows.accounts.notices`); not kept in the audit, and never a secret.
    """

    type: str
    outcome: Literal["success", "failure"] = "success"
    reason: str | None = None
    user_id: str | None = None
    session_id: str | None = None
    client_id: str | None = None
    data: Mapping[str, str] = field(default_factory=dict)
    told: Mapping[str, str] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        """Refuses a type that is not listed."""
        if self.type not in EVENT_TYPES:
            raise ValueError(f"{self.type} is not in EVENT_TYPES")
