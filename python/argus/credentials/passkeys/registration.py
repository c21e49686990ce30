"""Registers passkeys: the options for the browser, and what it made of them."""

from argus.base import ids
from argus.base.clock import Now
from argus.base.errors import RequestAlreadyDoneError
from argus.base.events import Event
from argus.base.origin import Origin
from argus.credentials.model import CredentialNotFoundError, EnrolmentNotFoundError, TooManyCredentialsError
from argus.credentials.passkey_rules.service import PasskeyRulebook
from argus.credentials.passkeys import store
from argus.credentials.passkeys.ceremony_store import CeremonyStore
from argus.credentials.passkeys.handles import descriptors, handle_of, hold_user, new_challenge
from argus.credentials.passkeys.model import (
    CEREMONY_LIFE,
    MAX_PASSKEYS,
    Begun,
    Ceremony,
    Passkey,
    PasskeyUser,
    Use,
)
from argus.credentials.webauthn.ceremonies import verify_registration
from argus.credentials.webauthn.forms import RegistrationResponse, parse_registration
from argus.credentials.webauthn.keys import offered_algorithms
from argus.credentials.webauthn.model import PasskeyRefusedError, Registered
from argus.credentials.webauthn.options import Account, creation_options
from argus.storage.postgres import Database


class PasskeyRegistrations:
    """Registrations under way."""

    def __init__(self, db: Database, ceremonies: CeremonyStore, rulebook: PasskeyRulebook, *, now: Now) -> None:
        self._db = db
        self._ceremonies = ceremonies
        self._rulebook = rulebook
        self._now = now

    async def begin(
        self, tenant_id: str, user: PasskeyUser, *, use: Use = "sign_in", is_conditional: bool = False
    ) -> Begun:
        """Makes creation options for a user; nothing is kept but for five minutes, and who the user is.

        Args:
            tenant_id: Tenant.
            user: For whom.
            use: What it is made for.
            is_conditional: The browser is to make it in passing (`mediation: "conditional"`), after a sign-in by
                password.

        Raises:
            CredentialUserNotFoundError: There is no such user.
            TooManyCredentialsError: The user has as many as one may have.
        """
        rules = await self._rulebook.of(tenant_id)
        existing = await store.of_user(self._db, tenant_id, user.user_id)
        if len(existing) >= MAX_PASSKEYS:
            raise TooManyCredentialsError(MAX_PASSKEYS)
        account = Account(
            user_handle=await handle_of(self._db, tenant_id, user.user_id, now=self._now()),
            name=user.name,
            display_name=user.display_name,
        )
        expire_time = self._now() + CEREMONY_LIFE
        ceremony = Ceremony(
            kind="create",
            challenge=new_challenge(),
            rp_id=rules.rp_id,
            user_id=user.user_id,
            # A second factor need not be two in one; made in passing, nobody is asked for anything.
            user_verification="required" if use == "sign_in" and not is_conditional else "preferred",
            algorithms=offered_algorithms(),
            is_conditional=is_conditional,
            expire_time=expire_time.timestamp(),
        )
        options = creation_options(
            ceremony.expected,
            rp_id=rules.rp_id,
            rp_name=rules.rp_name,
            account=account,
            exclude=descriptors([one for one in existing if one.rp_id == rules.rp_id]),
            resident_key="required" if use == "sign_in" else "discouraged",
            attestation=rules.attestation,
            timeout=CEREMONY_LIFE,
        )
        enrolment_id = ids.new_id()
        await self._ceremonies.put(tenant_id, _ceremony_id(user.user_id, enrolment_id), ceremony)
        return Begun(enrolment_id=enrolment_id, options_json=options, expire_time=expire_time)

    async def finish(
        self,
        tenant_id: str,
        user_id: str,
        enrolment_id: str,
        response_json: str,
        *,
        display_name: str,
        origin: Origin,
    ) -> Passkey:
        """Registers what a browser made. Good or not, an answer spends its enrolment; what is none does not.

        Raises:
            EnrolmentNotFoundError: The user has begun none of that id, or it has expired, or an answer was handed in.
            PasskeyRefusedError: The answer breaks a rule, and this says which.
            CredentialUserNotFoundError: The user has been deleted meanwhile.
            TooManyCredentialsError: The user has as many as one may have.
            RequestAlreadyDoneError: The request was carried out before.
        """
        now = self._now()
        if done := await self._db.find_request(origin, now=now):
            raise RequestAlreadyDoneError(done)
        response = parse_registration(response_json)
        ceremony_id = _ceremony_id(user_id, enrolment_id)
        reach = self._ceremonies.get if origin.validate_only else self._ceremonies.take
        ceremony = await reach(tenant_id, ceremony_id, now=now)
        if ceremony is None or ceremony.kind != "create":
            raise EnrolmentNotFoundError
        try:
            registered = await self._registered(tenant_id, ceremony, response)
            return await self._keep(tenant_id, user_id, registered, ceremony.rp_id, display_name, origin)
        except PasskeyRefusedError as refused:
            if not origin.validate_only:
                event = Event(
                    type="credential.passkey_refused", outcome="failure", reason=refused.rule, user_id=user_id
                )
                await self._db.record(origin, event, now)
            raise

    async def _registered(self, tenant_id: str, ceremony: Ceremony, response: RegistrationResponse) -> Registered:
        rules = await self._rulebook.of(tenant_id)
        return verify_registration(
            response,
            rp=rules.relying_party,
            expected=ceremony.expected,
            now=self._now(),
        )

    async def _keep(
        self, tenant_id: str, user_id: str, registered: Registered, rp_id: str, display_name: str, origin: Origin
    ) -> Passkey:
        now, credential_id = self._now(), ids.new_id()
        async with self._db.transaction(origin, now=now) as tx:
            await tx.claim(ids.credential_name(tenant_id, user_id, credential_id), now=now)
            await hold_user(tx, tenant_id, user_id)
            if len(await store.of_user(tx, tenant_id, user_id)) >= MAX_PASSKEYS:
                raise TooManyCredentialsError(MAX_PASSKEYS)
            is_new = await store.insert(
                tx,
                tenant_id,
                user_id,
                registered,
                credential_id=credential_id,
                rp_id=rp_id,
                display_name=display_name,
                at=now,
            )
            if not is_new:
                raise PasskeyRefusedError("CREDENTIAL_KNOWN")
            tx.record(_added(user_id, credential_id, registered, display_name))
            passkey = await store.find(tx, tenant_id, user_id, credential_id)
        if passkey is None:
            raise CredentialNotFoundError(credential_id)
        return passkey


def _added(user_id: str, credential_id: str, registered: Registered, display_name: str) -> Event:
    facts = {
        "credential": credential_id,
        "kind": "webauthn",
        "aaguid": registered.aaguid,
        "backup_eligible": str(registered.backup_eligible).lower(),
        "attested": str(registered.attested).lower(),
    }
    return Event(type="credential.enrolled", user_id=user_id, data=facts, told={"name": display_name})


def _ceremony_id(user_id: str, enrolment_id: str) -> str:
    """Apart from those of logins, and good for its user alone."""
    return f"{user_id}:{enrolment_id}"
