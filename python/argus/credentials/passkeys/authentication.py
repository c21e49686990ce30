"""Takes the answers of passkeys at a sign-in or step-up."""

from dataclasses import replace
from datetime import datetime

from argus.base.clock import Now
from argus.base.events import Event
from argus.base.origin import Origin
from argus.credentials.passkey_rules.service import PasskeyRulebook
from argus.credentials.passkeys import store
from argus.credentials.passkeys.ceremony_store import CeremonyStore
from argus.credentials.passkeys.handles import descriptors, new_challenge
from argus.credentials.passkeys.model import CEREMONY_LIFE, Ceremony, Passkey, PasskeyCheck, has_copy
from argus.credentials.webauthn.ceremonies import verify_authentication
from argus.credentials.webauthn.forms import AuthenticationResponse, encode, parse_authentication
from argus.credentials.webauthn.model import Asserted, Known, PasskeyRefusedError, UserVerification
from argus.credentials.webauthn.options import request_options
from argus.storage.postgres import Database, Transaction


class PasskeyAnswers:
    """Authentications under way."""

    def __init__(self, db: Database, ceremonies: CeremonyStore, rulebook: PasskeyRulebook, *, now: Now) -> None:
        self._db = db
        self._ceremonies = ceremonies
        self._rulebook = rulebook
        self._now = now

    async def offer(
        self, tenant_id: str, ceremony_id: str, *, user_id: str | None, user_verification: UserVerification
    ) -> str:
        """Request options; those of the same ceremony that nobody has answered yet stay as they were.

        Args:
            tenant_id: Tenant.
            ceremony_id: Chosen by the caller.
            user_id: Whose passkeys may answer; None: whichever the authenticator finds, so that the options say
                nothing about anybody.
            user_verification: How much of it.
        """
        under_way = await self._ceremonies.get(tenant_id, ceremony_id, now=self._now())
        if under_way is not None and under_way.user_id == (user_id or ""):
            return under_way.options_json
        rules = await self._rulebook.of(tenant_id)
        allowed = await store.of_user(self._db, tenant_id, user_id, rp_id=rules.rp_id) if user_id else []
        ceremony = Ceremony(
            kind="get",
            challenge=new_challenge(),
            rp_id=rules.rp_id,
            user_id=user_id or "",
            user_verification=user_verification,
            allowed=[encode(one.webauthn_id) for one in allowed],
            expire_time=(self._now() + CEREMONY_LIFE).timestamp(),
        )
        options = request_options(
            ceremony.expected, rp_id=rules.rp_id, allow=descriptors(allowed), timeout=CEREMONY_LIFE
        )
        await self._ceremonies.put(tenant_id, ceremony_id, replace(ceremony, options_json=options))
        return options

    async def check(
        self, tenant_id: str, ceremony_id: str, response_json: str, *, user_id: str | None, names_user: bool
    ) -> PasskeyCheck:
        """Looks at an answer, which spends its options; nothing is written yet.

        Args:
            tenant_id: Tenant.
            ceremony_id: The one of `offer`.
            response_json: AuthenticationResponseJSON.
            user_id: Whose passkey it must be; None: nobody is known.
            names_user: The answer alone says who the user is, so it has to.

        Raises:
            PasskeyRefusedError: It is no answer at all (MALFORMED), and spends nothing.
        """
        response = parse_authentication(response_json)
        under_way = await self._ceremonies.take(tenant_id, ceremony_id, now=self._now())
        rules = await self._rulebook.of(tenant_id)
        passkey: Passkey | None = None
        try:
            ceremony = _checked_ceremony(under_way, response)
            found = await store.find_by_webauthn_id(
                self._db, tenant_id, rp_id=rules.rp_id, webauthn_id=response.webauthn_id
            )
            passkey, handle = found or (None, b"")
            owner = _checked_owner(passkey, user_id, names_user=names_user)
            asserted = verify_authentication(
                response,
                _known(owner, handle),
                rp=rules.relying_party,
                expected=ceremony.expected,
                names_user=names_user,
            )
        except PasskeyRefusedError as refused:
            return PasskeyCheck(rule=refused.rule, passkey=passkey)
        return PasskeyCheck(
            passkey=owner,
            asserted=asserted,
            has_copy=has_copy(stored=owner.sign_count, presented=asserted.sign_count),
            policy=rules.counter_policy,
        )

    async def use(self, check: PasskeyCheck, *, is_second: bool, is_asked_more: bool, origin: Origin) -> bool:
        """Notes that a good answer was let in; False: it is not to be, because there may be a copy.

        The counter is held against the stored one a second time, under a lock: of two copies that answer at the same
        moment one is noticed.

        Args:
            check: What `check` found.
            is_second: The user has proved a factor of another kind before.
            is_asked_more: One factor is not enough: another one was proved before, or is asked for besides.
            origin: On whose behalf.
        """
        passkey, asserted = check.passkey, check.asserted
        if check.rule is not None or passkey is None or asserted is None:
            raise ValueError("the answer was not good")
        now = self._now()
        async with self._db.transaction(origin, now=now) as tx:
            current = await store.lock(tx, passkey.tenant_id, passkey.credential_id)
            if current is None:
                return False
            is_copy = has_copy(stored=current.sign_count, presented=asserted.sign_count)
            is_doubted = current.doubted or (is_copy and check.policy != "ignore")
            # One that was not seen when the answer was judged has come in between: its level was not weakened.
            is_let_in = not is_copy or (check.has_copy and check.policy != "refuse")
            # Where nothing else is asked for, a copy would be all that it takes.
            is_let_in = is_let_in and (is_asked_more or not is_doubted)
            if is_copy or not is_let_in:
                tx.record(_stalled(current, asserted, is_let_in=is_let_in))
            if is_copy and is_doubted:
                # A copy that tries on would catch up: from here on it is one factor, whatever it counts to.
                await store.doubt(tx, current)
            if is_let_in:
                await _write_use(tx, current, asserted, is_sure=is_second and not is_copy, now=now)
        return is_let_in


async def _write_use(tx: Transaction, passkey: Passkey, asserted: Asserted, *, is_sure: bool, now: datetime) -> None:
    await store.write_use(
        tx,
        passkey,
        sign_count=asserted.sign_count,
        backed_up=asserted.backed_up,
        initializes_uv=is_sure and asserted.user_verified,
        ends_doubt=is_sure,
        at=now,
    )
    if asserted.backed_up != passkey.backed_up:
        facts = {"credential": passkey.credential_id, "backed_up": str(asserted.backed_up).lower()}
        tx.record(Event(type="credential.passkey_backup_changed", user_id=passkey.user_id, data=facts))


def _stalled(passkey: Passkey, asserted: Asserted, *, is_let_in: bool) -> Event:
    return Event(
        type="credential.passkey_counter_stalled",
        outcome="success" if is_let_in else "failure",
        reason="COUNTER",
        user_id=passkey.user_id,
        data={
            "credential": passkey.credential_id,
            "stored": str(passkey.sign_count),
            "presented": str(asserted.sign_count),
        },
    )


def _checked_ceremony(ceremony: Ceremony | None, response: AuthenticationResponse) -> Ceremony:
    """The ceremony, if there is one that the credential may answer."""
    if ceremony is None or ceremony.kind != "get":
        raise PasskeyRefusedError("CHALLENGE")
    if ceremony.allowed and encode(response.webauthn_id) not in ceremony.allowed:
        raise PasskeyRefusedError("CREDENTIAL_NOT_ALLOWED")
    return ceremony


def _checked_owner(passkey: Passkey | None, user_id: str | None, *, names_user: bool) -> Passkey:
    """The passkey, if it is there and of the user that it has to be of."""
    is_owner = passkey is not None and (names_user if user_id is None else user_id == passkey.user_id)
    if passkey is None or not is_owner:
        raise PasskeyRefusedError("CREDENTIAL_NOT_ALLOWED")
    return passkey


def _known(passkey: Passkey, user_handle: bytes) -> Known:
    return Known(public_key=passkey.public_key, user_handle=user_handle, backup_eligible=passkey.backup_eligible)
