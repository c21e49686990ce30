"""All that users may do for themselves, in one place: what RPCs and pages are handed."""

from dataclasses import dataclass

from argus.base.origin import Origin
from argus.flows.self.oneself import Oneself
from argus.flows.self.own_credentials import OwnCredentials
from argus.flows.self.own_devices import OwnDevices
from argus.flows.self.own_notices import OwnNotices
from argus.flows.self.own_sessions import OwnSessions
from argus.flows.self.security_events import SecurityEvents
from argus.users.model import User
from argus.users.service import Users


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfService:
    """What an end user may do with its own account. Every method takes the `Oneself` of a verified access token."""

    users: Users
    sessions: OwnSessions
    devices: OwnDevices
    events: SecurityEvents
    credentials: OwnCredentials
    notices: OwnNotices

    async def user(self, oneself: Oneself) -> User:
        """The user.

        Raises:
            UserNotFoundError: It has been deleted meanwhile.
        """
        return await self.users.get(oneself.tenant_id, oneself.user_id)

    async def set_locale(self, oneself: Oneself, locale: str, *, etag: str = "", origin: Origin) -> User:
        """Changes the language that the user is written to in.

        Raises:
            InvalidFieldError: It is no tag of a language.
            EtagMismatchError: The user changed since `etag` was read.
            RequestAlreadyDoneError: The request was carried out before.
        """
        return await self.users.update(
            oneself.tenant_id, oneself.user_id, locale=locale, etag=etag, origin=oneself.origin(origin)
        )
