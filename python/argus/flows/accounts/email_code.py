"""One-time codes by mail, as a kind of factor of a login.

A code shows that somebody reads the user's mail, and lifts no login above level 1 (`credentials.levels`): mailboxes are
opened with passwords, and NIST SP 800-63B-4 takes no mail for a second channel. It is sent when the login asks for it
(`Asking.email_code`), never by itself: else anybody could have mails sent to anybody by beginning logins.
"""

from collections.abc import Sequence
from typing import Final

from argus.accounts.service import EmailCodes
from argus.base.origin import Origin
from argus.credentials.levels import Proved
from argus.flows.factors import Check
from argus.sessions.login_store import Login
from argus.users.model import UserNotFoundError
from argus.users.service import Users

# No user has it: ids have 22 characters.
_NOBODY: Final = "-"


class EmailCodeFactor:
    """The code that was sent for a login; it is the login's own, and of one user."""

    method: Final = "email_code"
    begins: Final = True
    names_its_user: Final = False

    def __init__(self, codes: EmailCodes, users: Users) -> None:
        self._codes = codes
        self._users = users

    async def enrolled(self, tenant_id: str, user_id: str) -> Sequence[Proved]:
        """A code, if the user has an address."""
        try:
            user = await self._users.get(tenant_id, user_id)
        except UserNotFoundError:
            return []
        has_address = any(one.kind == "email" for one in user.identifiers)
        return [Proved(method=self.method)] if has_address else []

    async def challenge(self, login: Login) -> str:
        """Nothing: the code is asked for apart."""
        del login
        return ""

    async def check(self, login: Login, user_id: str | None, answer: str) -> Check:
        """Whether it is the login's code; the try counts first, for a user that does not exist, too."""
        fits = await self._codes.check(login.tenant_id, login.login_id, user_id or _NOBODY, answer)
        return Check(proved=Proved(method=self.method) if fits and user_id is not None else None)

    async def use(self, login: Login, check: Check, answer: str, *, origin: Origin | None = None) -> bool:
        """Spends the code; False: somebody was faster."""
        del check, answer, origin
        return await self._codes.spend(login.tenant_id, login.login_id)

    async def close(self, tenant_id: str, user_id: str, *, origin: Origin) -> None:
        """Nothing to close: each login has a code of its own with five tries, and the identifier has its budget."""
