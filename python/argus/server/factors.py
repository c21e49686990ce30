"""The kinds of factors that logins take, each made of its parts."""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass

from argus.base.clock import Now
from argus.credentials.passkey_rules.service import PasskeyRulebook
from argus.credentials.passkeys.authentication import PasskeyAnswers
from argus.credentials.passkeys.ceremony_store import CeremonyStore
from argus.credentials.passkeys.registration import PasskeyRegistrations
from argus.credentials.passkeys.service import Passkeys
from argus.credentials.recovery_codes.service import RecoveryCodes
from argus.credentials.service import Passwords
from argus.credentials.totp.enrolment_store import EnrolmentStore
from argus.credentials.totp.service import Totp
from argus.flows.factor_changes import FactorChanges
from argus.flows.factors import Factor, Factors, PasswordFactor
from argus.flows.one_time_codes import RecoveryCodeFactor, TotpFactor
from argus.flows.passkey_changes import PasskeyChanges
from argus.flows.passkey_factor import PasskeyFactor
from argus.storage.postgres import Database
from argus.storage.redis import Redis
from argus.tenants.service import Tenants
from argus.threats.guessing.service import Guessing
from argus.tokens.kek.service import KeyEncryptionKeys
from argus.users.service import Users


@dataclass(frozen=True, slots=True, kw_only=True)
class FactorKinds:
    """What factors are made of, and all of them together."""

    totp: Totp
    recovery_codes: RecoveryCodes
    changes: FactorChanges
    passkey_changes: PasskeyChanges
    passkey_rules: PasskeyRulebook
    factors: Factors


def make_factors(
    db: Database,
    redis: Redis,
    keks: KeyEncryptionKeys,
    key: bytes,
    *,
    tenants: Tenants,
    users: Users,
    passwords: Passwords,
    guessing: Guessing,
    others: Sequence[Factor],
    base_url: str,
    now: Now,
) -> FactorKinds:
    """Makes every kind.

    Args:
        db: Where credentials are kept.
        redis: Where enrolments are.
        keks: Encrypts secrets at rest.
        key: Secret of the installation that keys are derived from.
        tenants: The tenants.
        users: The users.
        passwords: Their passwords.
        guessing: Forgets failures where a factor is set anew.
        others: Kinds that are made elsewhere.
        base_url: Where browsers find this installation.
        now: The time.
    """
    totp = Totp(db, EnrolmentStore(redis), keks, now=now)
    recovery_codes = RecoveryCodes(db, derived_key(key, "recovery codes"), now=now)
    changes = FactorChanges(tenants, users, totp, recovery_codes, guessing)
    rules, ceremonies = PasskeyRulebook(db, now, base_url), CeremonyStore(redis)
    passkeys = Passkeys(db, rules, now=now)
    passkey_changes = PasskeyChanges(users, passkeys, PasskeyRegistrations(db, ceremonies, rules, now=now))
    passkey = PasskeyFactor(passkeys, PasskeyAnswers(db, ceremonies, rules, now=now), passkey_changes, passwords)
    factors = Factors(
        [PasswordFactor(passwords), RecoveryCodeFactor(recovery_codes, passwords), *others],
        enrollable=[TotpFactor(totp, passwords, changes), passkey],
    )
    return FactorKinds(
        totp=totp,
        recovery_codes=recovery_codes,
        changes=changes,
        passkey_changes=passkey_changes,
        passkey_rules=rules,
        factors=factors,
    )


def derived_key(key: bytes, purpose: str) -> bytes:
    """A key for one purpose alone, made of a secret of the installation."""
    return hmac.new(key, purpose.encode(), hashlib.sha256).digest()
