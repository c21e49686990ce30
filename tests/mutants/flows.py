"""Mutants of the write orders and of what is said of them (Python)."""

from typing import Final

from tests.mutants.model import Mutant

_COMMITS: Final = "tests/flows/test_commit_sessions.py::"
_ENDS: Final = "tests/faults/test_ends.py::"
_ORDERS: Final = "tests/flows/test_write_orders.py::"
_RACES: Final = "tests/faults/test_rebuild_races.py::"
_KEYS: Final = "tests/faults/test_key_rotation.py::"
_UNDELIVERED: Final = "tests/faults/test_undelivered_ends.py::"


def _python(file: str, name: str, breaks: str, text: str, replacement: str, *tests: str) -> Mutant:
    path = f"python/argus/{file}"
    return Mutant(name=name, breaks=breaks, file=path, text=text, replacement=replacement, tests=tests)


FLOWS: Final = (
    _python(
        "storage/together.py",
        "one-refusal-refuses-all",
        "What PostgreSQL does not take of one fails all others of its batch.",
        "if self._splits and len(batch) > 1 and not isinstance(error, UnavailableError):",
        "if False:",
        _COMMITS + "test_a_row_that_postgresql_does_not_take_is_nobody_elses_fault",
    ),
    _python(
        "flows/commit_sessions.py",
        "a-batch-waits-for-a-stranger",
        "A batch waits for whoever is changing one of its users.",
        "outcomes = await self._write(list(first.values()), waits=False)",
        "outcomes = await self._write(list(first.values()), waits=True)",
        _COMMITS + "test_nobody_waits_for_a_strangers_change",
    ),
    _python(
        "flows/commit_sessions.py",
        "victims-before-devices",
        "A creation holds the session that makes room for it while it waits for its device.",
        "self._with_devices(tx, left, outcomes, waits=waits)\n            left = await self._with_victims(",
        "self._with_victims(tx, left, outcomes, waits=waits)\n            left = await self._with_devices(",
        _COMMITS + "test_who_waits_for_a_device_holds_no_session",
    ),
    _python(
        "flows/step_up.py",
        "a-session-before-its-device",
        "A step-up holds its session while it waits for its device.",
        "await self._standing.hold_user(tx, living)",
        "await self._standing.hold(tx, living)",
        _COMMITS + "test_who_waits_for_a_device_holds_no_session",
    ),
    _python(
        "flows/commit_sessions.py",
        "a-removed-session-counts",
        "A session that was removed has no tombstone, and a rebuild that had read it counts it for ever.",
        "await self._live.end_all([session.ended(at=session.create_time, reason=EndReason.LIMIT)])",
        "",
        _COMMITS + "test_a_session_that_was_removed_counts_under_no_limit",
    ),
    _python(
        "flows/create_session.py",
        "a-late-cancel-frees-the-place",
        "Whoever gives up while the session is written gives its place to others, though it may stand.",
        "if isinstance(error, Exception) or not creation.is_begun:",
        "if True:",
        _COMMITS + "test_who_gives_up_too_late_keeps_the_place",
    ),
    _python(
        "flows/delivery.py",
        "a-repeated-end-asks-nobody",
        "An end that finds its rows ended leaves what is still on its way to others, and says ENDED.",
        '    payload["sessions"] += await outbox.undelivered(tx, tenant_id, user_id)\n',
        "",
        _UNDELIVERED + "test_ending_the_others_twice_without_redis",
    ),
    _python(
        "flows/delivery.py",
        "a-victims-victim-lives-on",
        "Whoever displaces a session that Redis has never had leaves those alive that it had displaced.",
        '    payload["sessions"] += [one for victim in victims for one in brought.get(victim.session_id, ())]\n',
        "",
        _UNDELIVERED + "test_who_displaces_one_that_redis_never_knew_brings_its_victims_along",
    ),
    _python(
        "flows/terminate.py",
        "an-ended-row-is-enough",
        "The end of a session whose row has ended asks nothing of Redis.",
        "if found is None and now < session.absolute_deadline + RECORD_MARGIN:",
        "if False:",
        _UNDELIVERED + "test_the_victim_of_a_sign_in_that_came_no_further_than_postgresql",
    ),
    _python(
        "flows/delivery.py",
        "emptied-means-unused",
        "A session that Redis does not know is removed, though Redis may have been emptied.",
        "return not user.is_current or await self._live.is_indexed(tenant_id, user_id, session_id)",
        "return False",
        _UNDELIVERED + "test_a_session_in_use_outlives_an_emptied_redis_and_the_row_of_its_beginning",
    ),
    _python(
        "flows/delivery.py",
        "an-earlier-end-stands",
        "The not-before of a wide end is written as it was posted, not as it is now.",
        '                await self.cover(delivery.tenant_id, delivery.payload["client_id"])\n',
        "                subject, until = delivery.payload['client_id'], _instant(delivery.payload['until'])\n"
        "                await self._live.set_not_before(delivery.tenant_id, subject, not_before=until)\n",
        _UNDELIVERED + "test_an_earlier_wide_end_does_not_stand_for_a_later_one",
    ),
    _python(
        "flows/offline_ends.py",
        "no-second-write",
        "An end made while PostgreSQL was away is not written to Redis again: a rebuild under way wins over it.",
        "        await self._deliveries.carry_out(delivery)\n",
        "",
        _ENDS + "test_an_end_made_without_postgresql_is_written_to_redis_again",
    ),
    _python(
        "flows/offline_ends.py",
        "ended-before-postgresql-knows",
        "An end that only Redis knows is reported as ENDED.",
        "reason=end.reason, state=TerminationState.PENDING, operation=kept.operation",
        "reason=end.reason, state=TerminationState.ENDED, operation=kept.operation",
        _ENDS + "test_an_end_without_postgresql_is_pending_and_holds_at_once",
    ),
    _python(
        "flows/offline_ends.py",
        "user-wide-end-waits-for-postgresql",
        "A user-wide end made while PostgreSQL is away is only noted, and holds when PostgreSQL is back.",
        "        await self._live.raise_user(tenant_id, user_id, not_before=whole_second(self._now()))\n",
        "",
        _ENDS + "test_an_end_without_postgresql_is_pending_and_holds_at_once",
    ),
    _python(
        "flows/terminate.py",
        "ended-before-redis-knows",
        "An end whose tombstone has not reached Redis is reported as ENDED.",
        "            return TerminationState.PENDING, delivery.operation\n",
        "            return TerminationState.ENDED, delivery.operation\n",
        _ENDS + "test_an_end_without_redis_is_pending_and_then_ended",
    ),
    _python(
        "flows/terminate.py",
        "wide-end-before-redis-knows",
        "A tenant- or client-wide end that has not reached Redis is reported as ENDED.",
        "return Terminations(count=0, state=TerminationState.PENDING, operation=delivery.operation)",
        "return Terminations(count=0, state=TerminationState.ENDED, operation=delivery.operation)",
        _ENDS + "test_an_end_without_redis_is_pending_and_then_ended",
    ),
    _python(
        "flows/hot.py",
        "replay-answered-before-it-is-written",
        "A replay is answered before PostgreSQL knows: a loss of Redis then makes the family good again.",
        "            await self._effects.write(need.effect)\n",
        "            self._effects.queue([need.effect])\n",
        _ORDERS + "test_a_replay_is_in_postgresql_before_its_answer",
    ),
    _python(
        "flows/rebuild.py",
        "rebuild-before-flush",
        "A rebuild reads PostgreSQL before the bounds that this process has queued are there.",
        "        await self._effects.flush()\n",
        "",
        _ORDERS + "test_bounds_are_written_before_a_rebuild_reads",
    ),
    _python(
        "sessions/rebuild_store.py",
        "session-not-held-by-a-rebuild",
        "A session ends between a rebuild's reading and its writing: the rebuild then writes what was true before.",
        '_SESSIONS if waits else _SESSIONS + " SKIP LOCKED"',
        '_SESSIONS.removesuffix(" FOR SHARE OF s")',
        _RACES + "test_a_rebuild_reads_active_the_session_ends_the_rebuild_writes_active",
    ),
    _python(
        "sessions/rebuild_store.py",
        "user-not-held-by-a-rebuild",
        "A user is disabled between a rebuild's reading and its writing, and the rebuild writes “enabled”.",
        '_USERS if waits else _USERS + " SKIP LOCKED"',
        '_USERS.removesuffix(" FOR SHARE OF u")',
        _RACES + "test_a_rebuild_reads_the_user_enabled_the_user_is_disabled_the_rebuild_writes",
    ),
    _python(
        "sessions/cover_store.py",
        "tenant-not-held-by-a-rebuild",
        "A tenant's sessions are ended between a rebuild's reading and its writing: it writes the earlier not-before.",
        "ORDER BY t.tenant_id FOR SHARE",
        "ORDER BY t.tenant_id",
        _RACES + "test_a_rebuild_reads_no_not_before_the_tenant_ends_all_the_rebuild_writes",
    ),
    _python(
        "sessions/activity_store.py",
        "bounds-may-fall",
        "A bound that arrives late lowers the one that is there.",
        "THEN GREATEST(s.generation_bound, n.generation) ELSE",
        "THEN n.generation ELSE",
        _ORDERS + "test_a_bound_never_falls",
    ),
    _python(
        "sessions/records.py",
        "contest-not-rebuilt",
        "PostgreSQL knows that a family is contested, and the rebuilt record does not.",
        "contested=session.state is SessionState.CONTESTED,",
        "contested=False,",
        "tests/faults/test_lost_stores.py::test_a_replay_without_postgresql_is_written_when_it_is_back",
    ),
    _python(
        "server/snapshot.py",
        "revoked-key-not-told",
        "The engine is not told that a key was revoked.",
        'revoked=one.key.state == "revoked",',
        "revoked=False,",
        _KEYS + "test_a_pulled_refresh_key_between_an_answer_and_its_retry_steps_up",
        _KEYS + "test_a_pulled_key_of_ids_refuses_every_family_of_it",
    ),
)
"""One or more for each order of writes."""
