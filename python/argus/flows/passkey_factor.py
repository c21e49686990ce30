"""The passkeys of users, as a kind of factor of logins."""

from collections.abc import Sequence
from typing import Final

from argus.base.origin import Origin
from argus.credentials.levels import HIGHEST_ACR, Proved
from argus.credentials.passkeys.authentication import PasskeyAnswers
from argus.credentials.passkeys.service import Passkeys
from argus.credentials.service import Passwords
from argus.credentials.webauthn.model import PasskeyRefusedError, UserVerification
from argus.flows.factors import Check, Enrolment
from argus.flows.passkey_changes import PasskeyChanges, proved_by
from argus.sessions.login_store import Login

# What shows that a passkey's user is its owner. Not another passkey: it may be the same one, handed in twice. Nor a
# code by mail: whoever has found the key may read the mail beside it.
_OTHERS: Final = frozenset({"password", "totp", "recovery_code"})


class PasskeyFactor:
    """A passkey or security key: the first factor of a login, a further one, or that of a step-up."""

    method: Final = "webauthn"
    begins: Final = True
    names_its_user: Final = True

    def __init__(
        self, passkeys: Passkeys, answers: PasskeyAnswers, changes: PasskeyChanges, passwords: Passwords
    ) -> None:
        self._passkeys = passkeys
        self._answers = answers
        self._changes = changes
        self._passwords = passwords

    async def enrolled(self, tenant_id: str, user_id: str) -> Sequence[Proved]:
        """What each of the user's passkeys could prove."""
        return list((await self._changes.provable(tenant_id, user_id)).values())

    async def challenge(self, login: Login) -> str:
        """Request options. The first ones of a login name no credentials, whoever the user is."""
        return await self._answers.offer(
            login.tenant_id,
            login.login_id,
            user_id=login.user_id if login.proved else None,
            user_verification=_user_verification(login),
        )

    async def check(self, login: Login, user_id: str | None, answer: str) -> Check:
        """Looks at an answer; good or not, it spends the options (GetLogin gives new ones).

        Raises:
            PasskeyRefusedError: It is no answer of a browser.
        """
        names_user = user_id is None and not login.identifier
        try:
            found = await self._answers.check(
                login.tenant_id, login.login_id, answer, user_id=user_id, names_user=names_user
            )
        except PasskeyRefusedError as refused:
            raise PasskeyRefusedError(refused.rule, field="webauthn_json") from None
        if found.rule is not None or found.passkey is None:
            return Check(rule=found.rule or "", found=found)
        proved = proved_by(found.passkey, user_verified=found.user_verified, built_in=found.is_built_in)
        return Check(proved=proved, user_id=found.passkey.user_id, found=found)

    async def use(self, login: Login, check: Check, answer: str, *, origin: Origin) -> bool:
        """Notes the use, the counter, and whether it is backed up now."""
        del answer
        is_second = any(Proved.from_text(text).method in _OTHERS for text in login.proved)
        # Where there is none, a passkey alone may be all that is asked for.
        user_id = check.user_id or login.user_id
        is_asked_more = is_second or await self._passwords.find(login.tenant_id, user_id) is not None
        return await self._answers.use(check.found, is_second=is_second, is_asked_more=is_asked_more, origin=origin)

    async def close(self, tenant_id: str, user_id: str, *, origin: Origin) -> None:
        """Nothing: a signature is not guessed, so nobody's failures may keep the user's own passkey out."""

    async def best(self, tenant_id: str) -> Proved:
        """One that verifies its user and stays where it is; whether its make is proved is the tenant's affair."""
        attested = await self._passkeys.are_attested(tenant_id)
        return Proved(method="webauthn", user_verified=True, device_bound=True, attested=attested)

    async def begin(self, login: Login) -> Enrolment:
        """Creation options for the user of the login."""
        begun = await self._changes.begin(login.tenant_id, login.user_id)
        return Enrolment(enrolment_id=begun.enrolment_id, options_json=begun.options_json)

    async def confirm(self, login: Login, answer: str, *, origin: Origin) -> Proved | None:
        """Registers what the browser made, which proves it, too.

        Raises:
            EnrolmentNotFoundError: It took too long, or an answer was handed in before: StartEnrolment is next.
            PasskeyRefusedError: The answer breaks a rule, and this says which.
        """
        passkey = await self._changes.confirm(login.tenant_id, login.user_id, login.enrolment_id, answer, origin=origin)
        return proved_by(passkey, user_verified=passkey.uv_initialized)


def _user_verification(login: Login) -> UserVerification:
    if login.asked_acr >= HIGHEST_ACR:
        return "required"
    # After a password it need not be two factors in one, and old security keys can't.
    return "discouraged" if login.proved else "preferred"
