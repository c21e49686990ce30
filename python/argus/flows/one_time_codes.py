"""Authenticator apps and recovery codes as factors of a login."""

from collections.abc import Sequence
from typing import Final

from argus.base.origin import Origin
from argus.credentials.levels import Proved
from argus.credentials.model import EnrolmentNotFoundError
from argus.credentials.recovery_codes.service import RecoveryCodes
from argus.credentials.service import Passwords
from argus.credentials.totp.model import qr_svg
from argus.credentials.totp.service import Totp
from argus.flows.factor_changes import FactorChanges
from argus.flows.factors import Check, Enrolment, FactorRefusedError
from argus.sessions.login_store import Login

_CODE: Final = Proved(method="totp")


class TotpFactor:
    """A code of an authenticator app."""

    method: Final = "totp"
    begins: Final = False
    names_its_user: Final = False

    def __init__(self, totp: Totp, passwords: Passwords, changes: FactorChanges) -> None:
        self._totp = totp
        self._passwords = passwords
        self._changes = changes

    async def enrolled(self, tenant_id: str, user_id: str) -> Sequence[Proved]:
        """A code, if the user has an app."""
        return [_CODE] if await self._totp.count(tenant_id, user_id) else []

    async def challenge(self, login: Login) -> str:
        """Nothing: the app shows it."""
        del login
        return ""

    async def check(self, login: Login, user_id: str | None, answer: str) -> Check:
        """Whether it is a code of the user that was not taken yet."""
        if user_id is None:
            return Check()
        found = await self._totp.check(login.tenant_id, user_id, answer)
        proved = _CODE if found.credential_id is not None else None
        return Check(proved=proved, is_closed=found.closed_to_unknown_devices, found=found)

    async def use(self, login: Login, check: Check, answer: str, *, origin: Origin) -> bool:
        """Takes the code's time step."""
        del answer, origin
        return await self._totp.use(login.tenant_id, check.found)

    async def close(self, tenant_id: str, user_id: str, *, origin: Origin) -> None:
        """Closes the user's apps to unknown devices."""
        await self._passwords.close_to_unknown_devices(tenant_id, user_id, origin, kind="totp")

    async def best(self, tenant_id: str) -> Proved:
        """A code proves what any other does."""
        del tenant_id
        return _CODE

    async def begin(self, login: Login) -> Enrolment:
        """Makes a secret for the user of the login."""
        pending = await self._changes.begin_totp(login.tenant_id, login.user_id)
        return Enrolment(
            enrolment_id=pending.enrolment_id, secret=pending.secret, uri=pending.uri, qr_svg=qr_svg(pending.uri)
        )

    async def confirm(self, login: Login, answer: str, *, origin: Origin) -> Proved | None:
        """Enrols the app that shows this code."""
        try:
            await self._changes.confirm_totp(login.tenant_id, login.user_id, login.enrolment_id, answer, origin=origin)
        except (FactorRefusedError, EnrolmentNotFoundError):
            return None
        return _CODE


class RecoveryCodeFactor:
    """A recovery code."""

    method: Final = "recovery_code"
    begins: Final = False
    names_its_user: Final = False

    def __init__(self, recovery_codes: RecoveryCodes, passwords: Passwords) -> None:
        self._recovery_codes = recovery_codes
        self._passwords = passwords

    async def enrolled(self, tenant_id: str, user_id: str) -> Sequence[Proved]:
        """A code, if the user has one left."""
        return [Proved(method=self.method)] if await self._recovery_codes.left(tenant_id, user_id) else []

    async def challenge(self, login: Login) -> str:
        """Nothing: the user has written it down."""
        del login
        return ""

    async def check(self, login: Login, user_id: str | None, answer: str) -> Check:
        """Whether the user has this code."""
        if user_id is None:
            return Check()
        found = await self._recovery_codes.check(login.tenant_id, user_id, answer)
        proved = Proved(method=self.method) if found.credential_id is not None else None
        return Check(proved=proved, is_closed=found.closed_to_unknown_devices, found=found)

    async def use(self, login: Login, check: Check, answer: str, *, origin: Origin) -> bool:
        """Takes the code."""
        del answer
        user_id = login.user_id
        return await self._recovery_codes.use(login.tenant_id, user_id, check.found, origin=origin)

    async def close(self, tenant_id: str, user_id: str, *, origin: Origin) -> None:
        """Closes the user's codes to unknown devices."""
        await self._passwords.close_to_unknown_devices(tenant_id, user_id, origin, kind="recovery_codes")
