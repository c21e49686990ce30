"""What goes on in the background of every process."""

from datetime import timedelta
from typing import Final

from argus.server.app import Argus
from argus.server.background import Background

# The bound of a rotation is in PostgreSQL within a second (rotation.md, section 3).
_FLUSH: Final = timedelta(milliseconds=250)
_OUTBOX: Final = timedelta(milliseconds=500)
# People wait for their mails, and each waits for both loops.
_ACCOUNTS: Final = timedelta(milliseconds=500)
# Sessions follow a change of a group's or user's policy within a second (ADR 48).
_FOLLOWING: Final = timedelta(milliseconds=250)
_SIMULATIONS: Final = timedelta(seconds=1)
_KEYS: Final = timedelta(seconds=5)
_COVERS: Final = timedelta(seconds=1)
_KEKS: Final = timedelta(seconds=1)
_REPORT: Final = timedelta(seconds=10)
_REVOCATIONS: Final = timedelta(seconds=5)
# An account counts as unused by days, audit events as old by months; both are acted upon within the day.
_UPKEEP: Final = timedelta(hours=1)
# What was installed meanwhile counts without a start.
_FILES: Final = timedelta(seconds=10)
_HOUSEKEEPING: Final = timedelta(minutes=5)


def add_loops(background: Background, argus: Argus) -> None:
    """Adds all of them."""
    background.forever("snapshot", argus.snapshot.run)
    background.every("effects", _FLUSH, argus.effects.flush)
    background.forever("revocations", argus.revocations.run)
    background.every("revocations-tidy", _REVOCATIONS, argus.revocations.tidy)
    background.every("covers", _COVERS, argus.covers.keep)
    background.every("rebuild-report", _REPORT, argus.rebuild.metrics.report)
    background.every("outbox", _OUTBOX, argus.outbox.run_due)
    background.every("account-requests", _ACCOUNTS, argus.accounts.answering.run_due)
    background.every("mails", _ACCOUNTS, argus.accounts.posting.run_due)
    background.forever("deliveries", argus.courier.run)
    background.every("sweeper", argus.settings.sweep_interval, argus.sweeper.sweep)
    background.every("policy-following", _FOLLOWING, argus.policy_following.run_due)
    background.every("policy-simulations", _SIMULATIONS, argus.policy_simulations.run_due)
    background.every("keys", _KEYS, argus.signing_keys.advance_due)
    # So that a pulled key never waits for a program.
    background.every("key-encryption", _KEKS, argus.keks.learn)
    background.every("janitor", _HOUSEKEEPING, argus.sweeper.tidy)
    background.every("account-janitor", _HOUSEKEEPING, argus.post.links.forget_expired)
    background.every("delivery-janitor", _HOUSEKEEPING, argus.notifications.deliveries.tidy)
    background.every("unused-accounts", _UPKEEP, argus.unused_accounts.disable_due)
    background.every("unused-accounts-kept", _UPKEEP, argus.unused_accounts.delete_due)
    background.every("audit-purge", _UPKEEP, argus.audit_upkeep.purge)
    background.every("audit-addresses", _UPKEEP, argus.audit_upkeep.cut_addresses)
    background.every("networks", _FILES, argus.networks.keep_fresh)
    background.every("patches", _FILES, argus.patches.keep_fresh)
    background.every("partitions", _HOUSEKEEPING, argus.audit.ensure_partitions)
