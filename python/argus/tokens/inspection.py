"""What `argus doctor` says about keys: whether they can be read, what is left to do, and which are small."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from argus.storage.postgres import Database
from argus.storage.requirements import Finding
from argus.tokens import reencryption_store, store
from argus.tokens.kek.command import KeyEncryptionUnavailableError
from argus.tokens.kek.service import KeyEncryptionKeys
from argus.tokens.model import UnreadableSecretError

STRONG_RSA_BITS: Final = 3072
"""SP 800-57 part 1: 128 bits of strength; 2048 bits have 112."""

_NAMED: Final = 5
_OVERDUE: Final = timedelta(days=1)


async def inspect_keys(db: Database, keks: KeyEncryptionKeys, *, now: datetime, period: timedelta) -> list[Finding]:
    """Looks at key-encryption keys and signing keys; changes nothing.

    Args:
        db: Where they are.
        keks: The key-encryption keys of the settings.
        now: The time.
        period: How long a key signs, for tenants that have no period of their own.
    """
    current = await keks.current()
    counted = await reencryption_store.count_by_kek(db)
    findings = [await _readable(keks, kek_id) for kek_id in sorted({*counted, *filter(None, [current])})]
    findings += _left_to_do(keks, current or "", counted)
    small = await store.weak_rings(db, bits=STRONG_RSA_BITS)
    overdue = await store.aged(db, now=now - _OVERDUE, period=period)
    return [*findings, *_sizes(small), *_schedule(sorted({tenant_id for tenant_id, _ in overdue}))]


async def _readable(keks: KeyEncryptionKeys, kek_id: str) -> Finding:
    problem = ""
    try:
        await keks.require(kek_id, "this database")
    except UnreadableSecretError as error:
        problem = str(error)
    except KeyEncryptionUnavailableError as error:
        problem = error.detail
    return Finding(what="key-encryption key", found=kek_id, problem=problem)


def _left_to_do(keks: KeyEncryptionKeys, current: str, counted: dict[str, int]) -> Iterator[Finding]:
    old = sum(number for kek_id, number in counted.items() if kek_id != current)
    if current and keks.own_id not in (None, current):
        yield Finding(
            what="key-encryption key",
            found="another one is set",
            advice="once every server has been started with the new one: argus keys reencrypt",
        )
    elif old:
        yield Finding(
            what="key-encryption key",
            found=f"{old} keys and secrets under another one",
            advice="a change was not finished: argus keys reencrypt",
        )
    elif keks.previous_ids and current:
        yield Finding(
            what="key-encryption key",
            found="the ones before are set",
            advice="nothing is under them any more: unset ARGUS_KEY_ENCRYPTION_KEY_PREVIOUS, and keep them as long as "
            "backups from their time",
        )


def _sizes(small: Sequence[tuple[str, int, int]]) -> Iterator[Finding]:
    for bits in sorted({bits for _, bits, _ in small}):
        tenants = [tenant_id for tenant_id, own, _ in small if own == bits]
        waiting = [tenant_id for tenant_id, own, following in small if own == bits and following > bits]
        advice = (
            f"{_some(tenants)} below {STRONG_RSA_BITS} bits: argus keys configure --rsa-bits {STRONG_RSA_BITS}, then "
        )
        if waiting == tenants:
            advice = f"{_some(tenants)} with larger keys to come: "
        yield Finding(what="keys.rsa", found=f"{bits} bits", advice=f"{advice}argus keys rotate")


def _schedule(overdue: Sequence[str]) -> Iterator[Finding]:
    if overdue:
        yield Finding(
            what="keys.schedule",
            found=f"overdue for {_some(overdue)}",
            advice="servers make the next keys: does one run, and what does its log say?",
        )


def _some(tenants: Sequence[str]) -> str:
    names = ", ".join(tenants[:_NAMED])
    return f"{len(tenants)} tenant{'s' if len(tenants) > 1 else ''} ({names}{', …' if len(tenants) > _NAMED else ''})"
