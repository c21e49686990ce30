"""Changes what a user proves itself with beside the password: authenticator apps and recovery codes."""

from argus.base.origin import Origin
from argus.credentials.model import Credential
from argus.credentials.recovery_codes.service import RecoveryCodes
from argus.credentials.totp.model import Pending
from argus.credentials.totp.service import Totp
from argus.flows.factors import FactorRefusedError
from argus.tenants.service import Tenants
from argus.threats.guessing.service import Guessing
from argus.users.service import Users


class FactorChanges:
    """What administrators and services do for a user, and users for themselves after a fresh proof."""

    def __init__(
        self, tenants: Tenants, users: Users, totp: Totp, recovery_codes: RecoveryCodes, guessing: Guessing
    ) -> None:
        self._tenants = tenants
        self._users = users
        self._totp = totp
        self._recovery_codes = recovery_codes
        self._guessing = guessing

    async def begin_totp(self, tenant_id: str, user_id: str, *, display_name: str = "") -> Pending:
        """Makes a secret for an authenticator app; it counts for nothing before it is confirmed.

        Raises:
            UserNotFoundError: There is no such user.
            TooManyCredentialsError: The user has as many as it may have.
            UnavailableError: A store is away.
        """
        user = await self._users.get(tenant_id, user_id)
        tenant = await self._tenants.get(tenant_id)
        account = user.identifiers[0].value if user.identifiers else user.display_name or user.user_id
        return await self._totp.begin(
            tenant_id,
            user_id,
            account=account,
            issuer=tenant.display_name or tenant.tenant_id,
            display_name=display_name,
        )

    async def confirm_totp(
        self, tenant_id: str, user_id: str, enrolment_id: str, code: str, *, origin: Origin
    ) -> Credential:
        """Enrols the app that shows this code; the code is used up with it.

        Raises:
            EnrolmentNotFoundError: The user has begun none of that id, or it has expired, or was confirmed before.
            FactorRefusedError: The code is wrong; the enrolment goes on.
            TooManyCredentialsError: The user has as many as it may have.
            UnavailableError: A store is away.
        """
        credential = await self._totp.confirm(tenant_id, user_id, enrolment_id, code, origin=origin)
        if credential is None:
            raise FactorRefusedError
        # What was guessed before was guessed at others.
        await self._guessing.reopen_factor(tenant_id, user_id, "totp")
        return credential

    async def replace_recovery_codes(
        self, tenant_id: str, user_id: str, *, origin: Origin
    ) -> tuple[Credential, list[str]]:
        """Gives a user ten new recovery codes, which are shown this once; those before count no more.

        Raises:
            UserNotFoundError: There is no such user.
            RequestAlreadyDoneError: The request was carried out before; its codes can't be repeated.
            UnavailableError: A store is away.
        """
        await self._users.get(tenant_id, user_id)
        made = await self._recovery_codes.replace(tenant_id, user_id, origin=origin)
        await self._guessing.reopen_factor(tenant_id, user_id, "recovery_code")
        return made
