"""Mutants of lineage, rebuilds, ends and deadlines: the other functions in Redis."""

from typing import Final

from tests.mutants.model import Mutant

_LAWS: Final = "tests/stores/test_functions.py::"
_REBUILDS: Final = "tests/stores/test_functions_rebuild.py::"
_STEP_UPS: Final = "tests/stores/test_functions_step_up.py::"
_LIMITS: Final = "tests/stores/test_functions_limits.py::"
_ROWS: Final = "tests/stores/test_rotate_rows.py::"


def _lua(part: str, name: str, breaks: str, text: str, replacement: str, *tests: str) -> Mutant:
    file = f"rust_core/core/src/lua/{part}.lua"
    return Mutant(name=name, breaks=breaks, file=file, text=text, replacement=replacement, tests=tests)


STORES: Final = (
    _lua(
        "limits",
        "victims-of-an-ended-newcomer",
        "A newcomer that was ended before Redis knew it leaves its victims alive.",
        """  -- First the victims: they have ended, whatever became of this session meanwhile.
""",
        """  if redis.call('EXISTS', keys[1]) == 1 then
    return 2
  end
""",
        "tests/stores/test_functions_limits.py::test_a_newcomer_that_was_ended_before_ends_its_victims_all_the_same",
    ),
    _lua(
        "limits",
        "client-limit-counts-all",
        "A client's limit counts, and ends, the sessions of all clients.",
        "(limit.kind == OF_CLIENT and entry.client == own.client)",
        "limit.kind == OF_CLIENT",
        _LIMITS + "test_the_tightest_limit_decides_and_ends_only_what_it_counts",
        _LIMITS + "test_sign_ins_in_flight_count_under_their_own_client_and_class",
    ),
    _lua(
        "limits",
        "class-limit-counts-all",
        "A limit of phones counts, and ends, desktops.",
        "(limit.kind == OF_CLASS and entry.class == own.class)",
        "limit.kind == OF_CLASS",
        _LIMITS + "test_the_tightest_limit_decides_and_ends_only_what_it_counts",
        _LIMITS + "test_sign_ins_in_flight_count_under_their_own_client_and_class",
        _LIMITS + "test_what_the_user_has_chosen_stays_where_a_place_is_free_by_now",
    ),
    _lua(
        "limits",
        "loosest-limit-first",
        "The widest limit chooses who makes room, and the tighter ones choose again.",
        "return one.most < other.most or",
        "return one.most > other.most or",
        _LIMITS + "test_the_tightest_limit_decides_and_ends_only_what_it_counts",
    ),
    _lua(
        "limits",
        "holds-not-counted",
        "Sign-ins in flight take no place: as many as race get in.",
        "return #able + #counted(limit, own, holds) + 1 - limit.most, able",
        "return #able + 1 - limit.most, able",
        _LIMITS + "test_racing_sign_ins_never_pass_the_limit",
        _LIMITS + "test_sign_ins_in_flight_count_under_their_own_client_and_class",
    ),
    _lua(
        "limits",
        "lost-place-not-noticed",
        "A session whose place Redis has forgotten is written beside those that were let in since.",
        """  elseif not has_place then
    return 3
""",
        "",
        _LIMITS + "test_a_place_that_the_store_has_forgotten_is_lost",
        "tests/faults/test_lost_places.py::test_a_sign_in_whose_place_was_lost_begins_anew",
    ),
    _lua(
        "limits",
        "trust-does-not-fade",
        "A session that was trusted long ago outlives one that is trusted now.",
        "return trust * 0.5 ^ (math.max(0, now - entry.rated) / TRUST_HALVES)",
        "return trust",
        _LIMITS + "test_the_least_trusted_is_ended_first",
    ),
    _lua(
        "limits",
        "any-choice-is-enough",
        "A user that ends one session, where two too many are there, gets in.",
        "return is_enough and victims or nil",
        "return victims",
        _LIMITS + "test_the_user_is_asked_and_what_it_chooses_makes_room",
        "tests/flows/test_session_limits.py::test_a_choice_that_is_not_enough_ends_nothing_and_is_asked_for_again",
    ),
    _lua(
        "index",
        "committed-sign-in-counted-twice",
        "A rebuild keeps the hold of a sign-in that PostgreSQL has: for half a minute it takes two places.",
        """    if holder and redis.call('HEXISTS', index, holder) == 1 then""",
        """    if false then""",
        _REBUILDS + "test_a_sign_in_that_postgresql_has_by_now_is_counted_once",
    ),
    _lua(
        "records",
        "stamp-not-checked",
        "A record decides although another process wrote it: a snapshot's old data count as the present.",
        "if session and session.lineage == node then",
        "if session then",
        _LAWS + "test_a_restart_from_a_snapshot_makes_every_record_stale",
        _LAWS + "test_a_promotion_makes_every_record_stale",
        _ROWS + "test_only_this_nodes_record_decides",
    ),
    _lua(
        "records",
        "stamp-of-users-not-checked",
        "A user's record decides although another process wrote it: a disabling is forgotten with a snapshot.",
        "return user and user.lineage == node and user or nil",
        "return user",
        _ROWS + "test_only_this_nodes_user_decides",
    ),
    _lua(
        "node",
        "lineage-without-promotions",
        "A replica that was promoted with writes missing keeps its lineage.",
        "redis.sha1hex(run_id .. current)",
        "redis.sha1hex(run_id)",
        _LAWS + "test_a_promotion_makes_every_record_stale",
    ),
    _lua(
        "rebuild",
        "rebuild-for-any-node",
        "What was read for a node that is gone is written into its successor.",
        "register('rebuild', WRITES, function(keys, arguments, node)\n  if arguments[1] ~= node then",
        "register('rebuild', WRITES, function(keys, arguments, node)\n  if arguments[1] == '' then",
        _REBUILDS + "test_a_rebuild_for_another_node_is_not_written",
    ),
    _lua(
        "rebuild",
        "rebuild-over-a-current-record",
        "A rebuild that read “active” overwrites the end that came meanwhile.",
        "if current and not is_overtaken(current, session) then",
        "if current and false then",
        _REBUILDS + "test_read_active_then_ended_then_rebuilt_stays_ended",
        _REBUILDS + "test_a_current_record_of_the_same_family_is_never_replaced",
    ),
    _lua(
        "rebuild",
        "rebuild-over-a-newer-family",
        "A rebuild that read PostgreSQL before a step-up brings the contested family back.",
        "(new.state == ENDED or current.family < new.family)",
        "(new.state == ENDED or current.family ~= new.family)",
        _REBUILDS + "test_an_older_family_never_comes_back",
    ),
    _lua(
        "rebuild",
        "rebuild-forgets-generations",
        "A rebuild takes PostgreSQL's bound although the old record knows more: a replaced token comes back.",
        "if old.generation >= new.generation then",
        "if old.generation < 0 then",
        _REBUILDS + "test_the_higher_generation_of_a_family_survives",
    ),
    _lua(
        "rebuild",
        "rebuild-forgets-contests",
        "A loss makes a contested family good again.",
        "if old.state == CONTESTED then",
        "if old.state == ENDED then",
        _REBUILDS + "test_contested_if_either_says_so",
    ),
    _lua(
        "rebuild",
        "rebuild-forgets-ends",
        "A tombstone of the process before gives way to PostgreSQL's “active”.",
        "  if old.state == ENDED then\n    return old",
        "  if old.state == ENDED then\n    return new",
        _REBUILDS + "test_ended_if_either_says_so",
    ),
    _lua(
        "rebuild",
        "rebuild-merges-families",
        "A family of before the step-up lends its generation to the new one.",
        "  if old.family ~= new.family then\n    return new -- families",
        "  if old.family < 0 then\n    return new -- families",
        _REBUILDS + "test_the_higher_generation_of_a_family_survives",
        _REBUILDS + "test_contested_if_either_says_so",
    ),
    _lua(
        "step_up",
        "step-up-brings-the-ended-back",
        "A session that ended while its user proved itself anew is alive again.",
        "elseif session.state == ENDED then\n    return 2, value",
        "elseif session.state == ENDED then\n    session = parse_session(arguments[1])\n    session.family = 0",
        _STEP_UPS + "test_what_ended_stays_ended",
    ),
    _lua(
        "step_up",
        "step-up-of-an-older-family",
        "Of two step-ups at once the one that began earlier may replace the family of the later one.",
        "if stepped.family <= session.family then",
        "if stepped.family < 0 then",
        _STEP_UPS + "test_families_only_rise",
    ),
    _lua(
        "rebuild",
        "rebuild-leaves-no-mark",
        "A rebuilt record looks like one that never lost anything: every adoption after a loss is a false alarm.",
        "    session.rebuilt = true -- writes",
        "    session.rebuilt = false -- writes",
        _REBUILDS + "test_a_missing_record_is_written_with_the_lineage",
    ),
    _lua(
        "rebuild",
        "rebuild-drops-a-users-change",
        "A disabling that came while the user was being read is overwritten by what was read.",
        "if old.sets_disabled then",
        "if old.sets_disabled and false then",
        _LAWS + "test_a_change_of_an_unknown_user_waits_for_the_rebuild",
    ),
    _lua(
        "ends",
        "no-tombstone-where-nothing-is",
        "An end leaves no mark where Redis has lost the record: the rebuild under way brings the session back.",
        "  bury(key, index, sid, pack_tombstone(node, reason, ended_at), ttl)\n  return ended_at, reason",
        "  if session then\n    bury(key, index, sid, pack_tombstone(node, reason, ended_at), ttl)\n  end\n"
        "  return ended_at, reason",
        _LAWS + "test_an_end_is_written_where_no_record_is",
    ),
    _lua(
        "ends",
        "the-last-end-counts",
        "A second end changes moment and reason of the first.",
        "reason, ended_at = session.reason, session.ended_at\n    if",
        "if",
        _LAWS + "test_an_end_of_another_lineage_stays_the_first_and_becomes_current",
    ),
    _lua(
        "ends",
        "not-before-may-fall",
        "Ends of a tenant that arrive out of order leave the earlier one.",
        "not_before = math.max(not_before, stored)",
        "not_before = math.min(not_before, stored)",
        _LAWS + "test_a_not_before_only_rises",
    ),
    _lua(
        "ends",
        "unknown-users-are-not-changed",
        "A change of a user that Redis has forgotten is dropped.",
        "  set_for(keys[1], pack_user(NO_LINEAGE, flags, not_before), CHANGE_WAITS)\n",
        "",
        _LAWS + "test_a_change_of_an_unknown_user_waits_for_the_rebuild",
    ),
    _lua(
        "deadlines",
        "use-beyond-the-absolute-deadline",
        "Use moves the idle deadline past the absolute one.",
        "return math.min(plus(active, idle), absolute_under(session, absolute_max))",
        "return plus(active, idle)",
        _ROWS + "test_a_use_never_moves_the_idle_deadline_past_the_absolute_one",
    ),
    _lua(
        "deadlines",
        "idle-deadline-not-looked-at",
        "A session that nobody used for long refreshes.",
        "if now < math.min(absolute, idle_deadline) then",
        "if now < absolute then",
        _LAWS + "test_asvs_7_3_1_a_session_ends_when_its_idle_deadline_passed",
        _ROWS + "test_a_deadline_that_passed_refuses",
    ),
    _lua(
        "deadlines",
        "a-late-report-shortens",
        "A use that is reported late sets the idle deadline back.",
        "deadline = math.max(deadline_after_use(session, active, idle, absolute_max), session.idle_deadline)",
        "deadline = deadline_after_use(session, active, idle, absolute_max)",
        _LAWS + "test_a_late_report_of_a_use_never_shortens",
    ),
)
"""Mutants of every other part of the library."""
