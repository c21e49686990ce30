"""What concerns a user's safety, in codes that pages and mails put into words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, Literal, cast

from argus.audit.model import AuditEvent, EventFilter
from argus.audit.service import Audit
from argus.base.ids import session_name
from argus.credentials.model import CredentialKind
from argus.flows.known_devices import KnownDevices
from argus.flows.self.oneself import Oneself
from argus.flows.self.own_sessions import OwnSessions
from argus.sessions.model import EndReason, Session


class SecurityEventKind(StrEnum):
    """What a security event is about; names are those of `argus.v1.SecurityEventKind`."""

    SIGNED_IN = "SIGNED_IN"
    FACTOR_REFUSED = "FACTOR_REFUSED"
    SESSION_LIMIT_REACHED = "SESSION_LIMIT_REACHED"
    STEPPED_UP = "STEPPED_UP"
    SESSION_ENDED = "SESSION_ENDED"
    ALL_SESSIONS_ENDED = "ALL_SESSIONS_ENDED"
    SESSION_UPDATED = "SESSION_UPDATED"
    SESSION_CONTESTED = "SESSION_CONTESTED"
    DEVICE_ADDED = "DEVICE_ADDED"
    DEVICE_FORGOTTEN = "DEVICE_FORGOTTEN"
    PASSWORD_CHANGED = "PASSWORD_CHANGED"  # noqa: S105 - a code
    PASSWORD_CLOSED = "PASSWORD_CLOSED"  # noqa: S105 - a code
    CREDENTIAL_ADDED = "CREDENTIAL_ADDED"
    CREDENTIAL_RENAMED = "CREDENTIAL_RENAMED"
    CREDENTIAL_DELETED = "CREDENTIAL_DELETED"
    IDENTIFIER_ADDED = "IDENTIFIER_ADDED"
    IDENTIFIER_REMOVED = "IDENTIFIER_REMOVED"
    ACCOUNT_DISABLED = "ACCOUNT_DISABLED"
    ACCOUNT_ENABLED = "ACCOUNT_ENABLED"
    RECOVERY_CODES_REPLACED = "RECOVERY_CODES_REPLACED"
    RECOVERY_CODE_USED = "RECOVERY_CODE_USED"
    IDENTIFIER_VERIFIED = "IDENTIFIER_VERIFIED"
    ACCOUNT_RECOVERED = "ACCOUNT_RECOVERED"
    DEVICE_REPORTED = "DEVICE_REPORTED"
    DEVICE_UPDATED = "DEVICE_UPDATED"
    DEVICE_TRUSTED = "DEVICE_TRUSTED"
    DEVICE_DISTRUSTED = "DEVICE_DISTRUSTED"
    CONTEXT_CHANGED = "CONTEXT_CHANGED"
    NOTICES_CHANGED = "NOTICES_CHANGED"


KINDS: Final[Mapping[str, SecurityEventKind]] = {
    "account.recovered": SecurityEventKind.ACCOUNT_RECOVERED,
    "credential.closed_to_unknown_devices": SecurityEventKind.PASSWORD_CLOSED,
    "credential.deleted": SecurityEventKind.CREDENTIAL_DELETED,
    "credential.enrolled": SecurityEventKind.CREDENTIAL_ADDED,
    "credential.passkey_renamed": SecurityEventKind.CREDENTIAL_RENAMED,
    "credential.password_set": SecurityEventKind.PASSWORD_CHANGED,
    "credential.recovery_code_used": SecurityEventKind.RECOVERY_CODE_USED,
    "credential.renamed": SecurityEventKind.CREDENTIAL_RENAMED,
    "device.created": SecurityEventKind.DEVICE_ADDED,
    "device.distrusted": SecurityEventKind.DEVICE_DISTRUSTED,
    "device.forgotten": SecurityEventKind.DEVICE_FORGOTTEN,
    "device.reported": SecurityEventKind.DEVICE_REPORTED,
    "device.trusted": SecurityEventKind.DEVICE_TRUSTED,
    "device.updated": SecurityEventKind.DEVICE_UPDATED,
    "factor.refused": SecurityEventKind.FACTOR_REFUSED,
    "identifier.added": SecurityEventKind.IDENTIFIER_ADDED,
    "identifier.removed": SecurityEventKind.IDENTIFIER_REMOVED,
    "identifier.verified": SecurityEventKind.IDENTIFIER_VERIFIED,
    "preferences.updated": SecurityEventKind.NOTICES_CHANGED,
    "refresh.contested": SecurityEventKind.SESSION_CONTESTED,
    "session.context_changed": SecurityEventKind.CONTEXT_CHANGED,
    "session.created": SecurityEventKind.SIGNED_IN,
    "session.ended": SecurityEventKind.SESSION_ENDED,
    "session.limit_reached": SecurityEventKind.SESSION_LIMIT_REACHED,
    "session.stepped_up": SecurityEventKind.STEPPED_UP,
    "session.updated": SecurityEventKind.SESSION_UPDATED,
    "user.disabled": SecurityEventKind.ACCOUNT_DISABLED,
    "user.enabled": SecurityEventKind.ACCOUNT_ENABLED,
    "user.sessions_ended": SecurityEventKind.ALL_SESSIONS_ENDED,
}
"""The kinds of audit events that are shown to their users."""

SAFETY: Final = EventFilter(types=sorted(KINDS))
"""All of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityEvent:
    """Something that concerns a user's safety.

    Attributes:
        session_id: Session that it happened to or from; empty: none.
        session: That session as it stands now, if it is still known.
        is_current: It is the session that the user acts from.
        end_reason: Why the session ended.
        by_user: The user did it itself, signed in.
        credential_kind: Kind of the credential, where it is about one; empty: not known.
    """

    event_id: str
    kind: SecurityEventKind
    time: datetime
    session_id: str = ""
    session_name: str = ""
    session: Session | None = None
    is_current: bool = False
    ip_address: str = ""
    client_id: str = ""
    end_reason: EndReason | None = None
    by_user: bool = False
    credential_kind: CredentialKind | Literal[""] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityEventPage:
    """Some events of a list, and where it goes on; empty: nowhere."""

    events: Sequence[SecurityEvent]
    next_page_token: str


class SecurityEvents:
    """The security events of whoever asks."""

    def __init__(self, audit: Audit, sessions: OwnSessions, devices: KnownDevices) -> None:
        self._audit = audit
        self._devices = devices
        self._sessions = sessions

    async def page(self, oneself: Oneself, *, size: int, page_token: str = "") -> SecurityEventPage:
        """What concerns the user, newest first.

        Raises:
            PageTokenInvalidError: The token is of another list.
        """
        found, following = await self._audit.list_user_events(
            oneself.tenant_id, oneself.user_id, matching=SAFETY, page_size=size, page_token=page_token
        )
        return await self._shown(oneself, found, following)

    async def page_of_session(
        self, oneself: Oneself, name: str, *, size: int, page_token: str = ""
    ) -> SecurityEventPage:
        """What happened to one session of the user, newest first.

        Raises:
            SessionNotFoundError: The user has no such session.
            PageTokenInvalidError: The token is of another list.
        """
        session = await self._sessions.get(oneself, name)
        found, following = await self._audit.list_session_events(
            oneself.tenant_id, session.session_id, matching=SAFETY, page_size=size, page_token=page_token
        )
        return await self._shown(oneself, found, following)

    async def page_of_device(
        self, oneself: Oneself, device_id: str, *, size: int, page_token: str = ""
    ) -> SecurityEventPage:
        """What happened to one device of the user and to the sessions on it, newest first.

        Raises:
            DeviceNotFoundError: The user has no such device.
            PageTokenInvalidError: The token is of another list.
        """
        found, following = await self._devices.events(
            oneself.tenant_id, oneself.user_id, device_id, types=sorted(KINDS), size=size, page_token=page_token
        )
        return await self._shown(oneself, found, following)

    async def _shown(self, oneself: Oneself, found: Sequence[AuditEvent], following: str) -> SecurityEventPage:
        session_ids = {event.session_id for event in found if event.session_id}
        sessions = await self._sessions.find_all(oneself, sorted(session_ids))
        events = [_security_event(oneself, event, sessions) for event in found]
        return SecurityEventPage(events=events, next_page_token=following)


def _security_event(oneself: Oneself, event: AuditEvent, sessions: Mapping[str, Session]) -> SecurityEvent:
    kind, session_id = KINDS[event.type], event.session_id or ""
    credential_kind = event.data.get("kind", "") if event.type.startswith("credential.") else ""
    if kind is SecurityEventKind.CREDENTIAL_ADDED and credential_kind == "recovery_codes":
        kind = SecurityEventKind.RECOVERY_CODES_REPLACED
    ended = kind is SecurityEventKind.SESSION_ENDED
    return SecurityEvent(
        event_id=event.event_id,
        kind=kind,
        time=event.time,
        session_id=session_id,
        session_name=session_name(oneself.tenant_id, oneself.user_id, session_id) if session_id else "",
        session=sessions.get(session_id),
        is_current=session_id == oneself.session_id,
        ip_address=event.ip_address or "",
        client_id=event.client_id or "",
        end_reason=EndReason[event.reason] if ended and event.reason else None,
        by_user=event.actor == f"user:{oneself.user_id}",
        credential_kind=cast("CredentialKind", credential_kind),
    )
