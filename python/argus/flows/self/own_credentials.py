"""What a user proves itself with: seen and changed by the user alone, after a fresh proof."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final

from argus.base.clock import Now
from argus.base.errors import ArgusError, Code, RequestAlreadyDoneError
from argus.base.ids import credential_name, parse_name
from argus.base.origin import Origin
from argus.base.policy import SecondFactor
from argus.credentials.levels import Proved, counting_acr
from argus.credentials.model import Credential, CredentialNotFoundError
from argus.credentials.passkeys.model import Begun, Passkey, Use
from argus.credentials.recovery_codes.service import RecoveryCodes
from argus.credentials.service import Passwords
from argus.credentials.totp.model import Pending
from argus.flows.factor_changes import FactorChanges
from argus.flows.factors import Factors
from argus.flows.passkey_changes import PasskeyChanges
from argus.flows.self.fresh_proof import FreshProof
from argus.flows.self.oneself import Oneself
from argus.flows.terminate import Also, Terminate
from argus.flows.termination import Terminations, TerminationState
from argus.flows.user_lifecycle import UserLifecycle
from argus.policies.service import Policies
from argus.sessions.model import ACR_PREFIX, EndReason
from argus.storage.postgres import Database, Transaction
from argus.users.service import Users
from argus.v1.errors_pb2 import ErrorReason

# What a sign-in can begin with; the others only follow.
_WAYS_IN: Final = frozenset({"password", "webauthn"})


class LastCredentialError(ArgusError):
    """Without the credential the user could not sign in any more, or not at the level that the policy requires."""

    def __init__(self, credential_id: str, *, required_acr: int = 0) -> None:
        level = f"{ACR_PREFIX}{required_acr}"
        use = f"that reaches {level}, which is required here" if required_acr else "to sign in with"
        super().__init__(
            Code.FAILED_PRECONDITION,
            ErrorReason.ERROR_REASON_LAST_CREDENTIAL,
            f"credential {credential_id} is the last one {use}; add another one first",
            credentialId=credential_id,
        )
        if required_acr:
            self.metadata["requiredAcr"] = level


class OwnCredentials:
    """The credentials of whoever asks. What is somebody else's is not found."""

    def __init__(
        self,
        db: Database,
        users: Users,
        policies: Policies,
        passwords: Passwords,
        recovery_codes: RecoveryCodes,
        factors: Factors,
        changes: FactorChanges,
        passkeys: PasskeyChanges,
        lifecycle: UserLifecycle,
        terminate: Terminate,
        fresh_proof: FreshProof,
        *,
        now: Now,
    ) -> None:
        self._db = db
        self._users = users
        self._policies = policies
        self._passwords = passwords
        self._recovery_codes = recovery_codes
        self._factors = factors
        self._changes = changes
        self._passkeys = passkeys
        self._lifecycle = lifecycle
        self._terminate = terminate
        self._fresh_proof = fresh_proof
        self._now = now

    async def page(self, oneself: Oneself, *, size: int, page_token: str = "") -> tuple[Sequence[Credential], str]:
        """Credentials without their secrets, and the token of the next page ("": this is the last).

        Raises:
            PageTokenInvalidError: The token is of another list.
        """
        return await self._passwords.list(oneself.tenant_id, oneself.user_id, page_size=size, page_token=page_token)

    async def recovery_codes_left(self, oneself: Oneself) -> int:
        """How many recovery codes the user has."""
        return await self._recovery_codes.left(oneself.tenant_id, oneself.user_id)

    async def get(self, oneself: Oneself, name: str) -> Credential:
        """One credential.

        Raises:
            CredentialNotFoundError: The user has no such one.
        """
        return await self._passwords.get(oneself.tenant_id, oneself.user_id, _own(oneself, name))

    async def password(self, oneself: Oneself) -> Credential | None:
        """The user's password, without its secret; None: it has none."""
        return await self._passwords.find(oneself.tenant_id, oneself.user_id)

    async def require_proof(self, oneself: Oneself) -> None:
        """Says beforehand whether a change would be let in.

        Raises:
            FreshProofRequiredError: The user has not just proved itself as well as it can.
        """
        await self._fresh_proof.require(oneself)

    async def change_password(
        self, oneself: Oneself, password: str, *, keep_others: bool, origin: Origin
    ) -> tuple[Credential, Terminations | None]:
        """Changes the password, and ends the user's other sessions with the old one unless they are to be kept.

        Raises:
            FreshProofRequiredError: The user has not just proved itself as well as it can.
            PasswordRefusedError: The password breaks a rule.
            RequestAlreadyDoneError: The request was carried out before.
        """
        async with self._proved(oneself, origin) as own:
            return await self._lifecycle.set_password(
                oneself.tenant_id,
                oneself.user_id,
                password,
                terminate_sessions=not keep_others,
                origin=own,
                keep=oneself.session_id,
            )

    async def begin_totp(self, oneself: Oneself, *, display_name: str = "") -> Pending:
        """Makes the secret of an authenticator app; it counts for nothing before it is confirmed.

        Raises:
            FreshProofRequiredError: The user has not just proved itself as well as it can.
            TooManyCredentialsError: The user has as many as it may have.
        """
        await self._fresh_proof.require(oneself)
        return await self._changes.begin_totp(oneself.tenant_id, oneself.user_id, display_name=display_name)

    async def confirm_totp(
        self, oneself: Oneself, enrolment_id: str, code: str, *, keep_others: bool, origin: Origin
    ) -> tuple[Credential, Terminations | None]:
        """Enrols the app that shows this code, and ends the user's other sessions unless they are to be kept.

        Raises:
            FreshProofRequiredError: The user has not just proved itself as well as it can.
            EnrolmentNotFoundError: The user has begun none of that id, or it has expired, or was confirmed before.
            FactorRefusedError: The code is wrong; the enrolment goes on.
            TooManyCredentialsError: The user has as many as it may have.
        """
        async with self._proved(oneself, origin) as own:
            credential = await self._changes.confirm_totp(
                oneself.tenant_id, oneself.user_id, enrolment_id, code, origin=own
            )
            return credential, None if keep_others else await self._end_others(oneself, own)

    async def replace_recovery_codes(self, oneself: Oneself, *, origin: Origin) -> tuple[Credential, list[str]]:
        """Makes ten new recovery codes, which are shown this once; those before count no more.

        Raises:
            FreshProofRequiredError: The user has not just proved itself as well as it can.
            RequestAlreadyDoneError: The request was carried out before; its codes can't be repeated.
        """
        async with self._proved(oneself, origin) as own:
            return await self._changes.replace_recovery_codes(oneself.tenant_id, oneself.user_id, origin=own)

    async def rename(self, oneself: Oneself, name: str, display_name: str, *, origin: Origin) -> Credential:
        """Changes what the user calls a credential.

        Raises:
            CredentialNotFoundError: The user has no such one.
            RequestAlreadyDoneError: The request was carried out before.
        """
        return await self._passwords.rename(
            oneself.tenant_id, oneself.user_id, _own(oneself, name), display_name, origin=oneself.origin(origin)
        )

    async def begin_passkey(self, oneself: Oneself, *, use: Use = "sign_in", is_conditional: bool = False) -> Begun:
        """Makes creation options for a passkey.

        Raises:
            FreshProofRequiredError: The user has not just proved itself as well as it can.
            TooManyCredentialsError: The user has as many as it may have.
        """
        await self._fresh_proof.require(oneself)
        return await self._passkeys.begin(oneself.tenant_id, oneself.user_id, use=use, is_conditional=is_conditional)

    async def confirm_passkey(
        self,
        oneself: Oneself,
        enrolment_id: str,
        response_json: str,
        *,
        display_name: str = "",
        keep_others: bool,
        origin: Origin,
    ) -> tuple[Passkey, Terminations | None]:
        """Registers what the browser made, and ends the user's other sessions unless they are to be kept.

        Raises:
            FreshProofRequiredError: The user has not just proved itself as well as it can.
            EnrolmentNotFoundError: It took too long, or an answer was handed in before.
            PasskeyRefusedError: The answer breaks a rule, and this says which.
            TooManyCredentialsError: The user has as many as it may have.
        """
        async with self._proved(oneself, origin) as own:
            try:
                passkey = await self._passkeys.confirm(
                    oneself.tenant_id,
                    oneself.user_id,
                    enrolment_id,
                    response_json,
                    display_name=display_name,
                    origin=own,
                )
            except RequestAlreadyDoneError as done:
                # The ends that belong to it may not have come so far.
                passkey = await self._passkeys.get(oneself.tenant_id, oneself.user_id, _own(oneself, done.name))
            return passkey, None if keep_others else await self._end_others(oneself, own)

    async def delete(self, oneself: Oneself, name: str, *, keep_others: bool, origin: Origin) -> Terminations | None:
        """Deletes a credential, and ends the user's other sessions with it unless they are to be kept.

        Raises:
            FreshProofRequiredError: The user has not just proved itself as well as it can.
            CredentialNotFoundError: The user has no such one.
            LastCredentialError: The user could not sign in without it, or not at the level that the policy requires.
            RequestAlreadyDoneError: The request was carried out before.
        """
        credential_id, tenant_id, user_id = _own(oneself, name), oneself.tenant_id, oneself.user_id
        async with self._proved(oneself, origin) as own:
            passkeys = await self._passkeys.ways_in(tenant_id, user_id)
            provable = await self._passkeys.provable(tenant_id, user_id)
            required, kind = await self._required(oneself)
            is_read = any(one.method == "email_code" for one in await self._factors.enrolled(tenant_id, user_id))

            async def remove(tx: Transaction) -> None:
                deleted, left = await self._passwords.remove(tx, tenant_id, user_id, credential_id)
                ways = [one for one in left if one.kind == "password" or one.credential_id in passkeys]
                if deleted.kind in _WAYS_IN and not ways and not is_read:
                    raise LastCredentialError(credential_id)
                # Else whoever learns the password alone would enrol a factor of its own at the next sign-in.
                if _reached(left, provable, kind) < required <= _reached([deleted, *left], provable, kind):
                    raise LastCredentialError(credential_id, required_acr=required)

            claim = credential_name(tenant_id, user_id, credential_id)
            if not keep_others:
                return await self._end_others(oneself, own, also=remove, claim=claim)
            async with self._db.transaction(own, now=self._now()) as tx:
                await tx.claim(claim)
                await remove(tx)
            return None

    async def _required(self, oneself: Oneself) -> tuple[int, SecondFactor]:
        """The level that sessions of the user begin at, whichever of its policies is the strictest, and by what."""
        user = await self._users.get(oneself.tenant_id, oneself.user_id)
        in_force = await self._policies.effective(oneself.tenant_id, oneself.client_id, user.user_id, user.groups)
        return in_force.policy.required_acr, in_force.policy.second_factor

    @asynccontextmanager
    async def _proved(self, oneself: Oneself, origin: Origin) -> AsyncIterator[Origin]:
        """The origin of a change, for which the user has just proved itself, unless it was made before.

        A repeat changes nothing; and the first one may have raised what is asked for.
        """
        origin = oneself.origin(origin)
        if await self._db.find_request(origin, now=self._now()) is not None:
            yield origin
        elif origin.validate_only:
            await self._fresh_proof.require(oneself)
            yield origin
        else:
            async with self._fresh_proof.used(oneself):
                yield origin

    async def _end_others(
        self, oneself: Oneself, origin: Origin, *, also: Also | None = None, claim: str = ""
    ) -> Terminations:
        return await self._terminate.user(
            oneself.tenant_id,
            oneself.user_id,
            reason=EndReason.USER_WIDE,
            keep=oneself.session_id,
            origin=origin,
            also=also,
            claim=claim,
        )

    async def ends_state(self, oneself: Oneself) -> TerminationState:
        """How far the ends of an earlier request have come."""
        return await self._lifecycle.ends_state(oneself.tenant_id, oneself.user_id)


def _reached(credentials: Sequence[Credential], provable: Mapping[str, Proved], kind: SecondFactor) -> int:
    """The level that counts, which credentials reach for good: recovery codes stand in for others, and are used up."""
    proved = [
        Proved(method=one.kind) if one.kind in {"password", "totp"} else provable.get(one.credential_id)
        for one in credentials
    ]
    return counting_acr([one for one in proved if one is not None], kind)


def _own(oneself: Oneself, name: str) -> str:
    found = parse_name("credential", name)
    if found is None or found[:2] != (oneself.tenant_id, oneself.user_id):
        raise CredentialNotFoundError(name.rpartition("/")[2])
    return found[2]
