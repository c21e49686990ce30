"""Mutants of what is decided in Rust around the function; each needs a new extension."""

from typing import Final

from tests.mutants.model import Mutant

_REFRESH: Final = "tests/rpc/engine/test_refresh.py::"
_REFUSALS: Final = "tests/rpc/engine/test_refusals.py::"
_ATTACKS: Final = "tests/vectors/test_jwt_attacks.py::"
_DIFFERENTIAL: Final = "tests/interop/test_differential.py::"
_OUTAGES: Final = "tests/rpc/engine/test_outages.py::"
_FAMILIES: Final = "tests/rpc/engine/test_families.py::"
_CALLERS: Final = "tests/rpc/engine/test_callers.py::"
_CACHED: Final = "tests/faults/test_cached_states.py::"
_TRACKING: Final = "tests/faults/test_tracking_connection.py::"


def _rust(file: str, name: str, breaks: str, text: str, replacement: str, *tests: str) -> Mutant:
    path = f"rust_core/{file}"
    return Mutant(name=name, breaks=breaks, file=path, text=text, replacement=replacement, tests=tests)


ENGINE: Final = (
    _rust(
        "engine/src/issue.rs",
        "random-jti",
        "The id of a refresh token is not computed: a retry gets another successor, and a lost write makes a fork.",
        "token_id: ids.token_id(&self.session.session_id, self.session.family, number),",
        "token_id: token_id()?,",
        _REFRESH + "test_a_retry_gets_the_same_successor_and_a_second_tab_too",
    ),
    _rust(
        "engine/src/refresh.rs",
        "jti-not-checked",
        "A token whose id does not fit is taken, though it proves that somebody else has the signing key.",
        "if ids.fits(",
        "if true || ids.fits(",
        _REFRESH + "test_a_computed_id_that_does_not_fit_is_an_alarm",
    ),
    _rust(
        "engine/src/refresh.rs",
        "revoked-key-yields-tokens",
        "A refresh token under a revoked signing key is changed for new tokens.",
        "if is_key_revoked {",
        "if is_key_revoked && claims.generation == 0 {",
        _REFRESH + "test_a_pulled_key_yields_no_token",
    ),
    _rust(
        "engine/src/state.rs",
        "verify-believes-any-stamp",
        "Verify decides from a record that another process wrote.",
        "        .filter(|stored| stored.lineage() == session.lineage)\n",
        "",
        _OUTAGES + "test_after_a_restart_every_value_is_of_another_lineage_and_is_rebuilt",
    ),
    _rust(
        "engine/src/state.rs",
        "verify-takes-older-families",
        "After the owner's step-up the thief's access token goes on.",
        "if claims.family < record.family {",
        "if claims.family < 1 {",
        "tests/faults/test_thief_after_step_up.py::test_the_thiefs_tokens_are_refused_after_the_owners_step_up",
        "tests/rpc/engine/test_verify.py::test_a_token_of_an_older_family_steps_up_and_a_newer_one_needs_postgresql",
    ),
    _rust(
        "engine/src/refreshed.rs",
        "strict-answers-before-it-writes",
        "A strict family's answer is given before its bound is in PostgreSQL.",
        "    if presented.is_strict && rotated.verdict == Verdict::Rotated {\n",
        "    if presented.is_strict && rotated.verdict == Verdict::Held {\n",
        _REFRESH + "test_strict_rotation_writes_the_bound_before_the_answer",
    ),
    _rust(
        "engine/src/call.rs",
        "an-outage-is-an-answer",
        "A Redis that is away refuses the token.",
        'Refusal::unavailable("redis").into()',
        "Refusal::token_invalid().into()",
        _OUTAGES + "test_redis_away_is_unavailable_and_nothing_else",
    ),
    _rust(
        "engine/src/ring.rs",
        "a-pulled-key-signs-on",
        "A process that can't read the new key goes on signing with the one that was pulled.",
        "&& let Some(Key::Good(_)) = self.keys.get(pair.kid())",
        "&& self.keys.contains_key(pair.kid())",
        _FAMILIES + "test_who_can_not_read_the_new_key_signs_with_the_one_before_until_that_is_pulled",
    ),
    _rust(
        "engine/src/call.rs",
        "an-unreadable-key-is-a-refusal",
        "A good token is refused by a process that can't read its key.",
        'Lack::Unread => Refusal::unavailable("keys").into(),',
        "Lack::Unread => self.refuse_token(class, subject),",
        _FAMILIES + "test_a_key_that_can_not_be_read_here_is_no_refusal",
    ),
    _rust(
        "engine/src/caller.rs",
        "a-new-tenant-is-refused",
        "The first caller of a tenant is refused by a process that has not heard of it.",
        "if found.is_none() && self.only.is_none() {",
        "if false {",
        _CALLERS + "test_what_the_snapshot_does_not_know_has_it_read_before_a_token_is_refused",
    ),
    _rust(
        "engine/src/tally.rs",
        "bad-tokens-flood-the-audit",
        "Whoever presents rubbish as fast as it can fills PostgreSQL, and the queue that rotation waits for.",
        "let tells = window.told < most;",
        "let tells = window.told < most || most > 0;",
        _REFUSALS + "test_asvs_16_2_1_a_flood_of_bad_tokens_is_some_rows_and_a_count",
        _REFUSALS + "test_a_flood_drowns_neither_other_faults_nor_sessions",
        _REFUSALS + "test_a_flood_does_not_stop_rotation",
    ),
    _rust(
        "engine/src/limits.rs",
        "long-tokens-are-told-apart",
        "A token that is too long gets another answer than one that is forged, and no audit event.",
        """        return Err(Refusal::field(field, "is missing; send the token"));
    }
    Ok(())""",
        """        return Err(Refusal::field(field, "is missing; send the token"));
    }
    longest(field, value, 8192)""",
        _REFUSALS + "test_a_token_that_is_too_long_is_refused_as_any_other",
        _ATTACKS + "test_rfc_8725_attacks",
    ),
    _rust(
        "core/src/token/verify.rs",
        "tokens-live-for-ever",
        "A token is good for as long as it says.",
        "            max_lifetime: Some(MAX_ACCESS_LIFE),",
        "            max_lifetime: None,",
        _REFUSALS + "test_j10_no_token_lives_longer_than_a_policy_allows",
        _ATTACKS + "test_rfc_8725_attacks",
        _ATTACKS + "test_asvs_16_3_1_every_attack_is_in_the_audit_with_its_class",
    ),
    _rust(
        "core/src/token/compact.rs",
        "foreign-keys-are-passed-over",
        "A header that brings a key of its own is not refused before its signature is looked at.",
        "        if FOREIGN_KEYS.iter().any(has) {",
        "        if FOREIGN_KEYS[..1].iter().any(has) {",
        _ATTACKS + "test_rfc_8725_attacks",
        _DIFFERENTIAL + "test_where_argus_accepts_all_do_and_where_others_alone_do_a_rule_says_why",
    ),
    _rust(
        "core/src/token/json.rs",
        "large-numbers-are-rounded",
        "A whole number beyond 64 bits is read as another one.",
        "digits <= MAX_DIGITS && (!is_whole || std::str::from_utf8(bytes).is_ok_and(fits))",
        "digits <= MAX_DIGITS && (!is_whole || std::str::from_utf8(bytes).is_ok_and(fits) || digits > 0)",
        "tests/vectors/test_limits.py::test_depth_width_and_numbers",
    ),
    _rust(
        "engine/src/store/ledger.rs",
        "a-silent-redis-counts-on",
        "A cached state goes on counting while nothing is heard of Redis: a stopped process accepts what has ended.",
        "pub(crate) const FRESH_MS: i64 = 250;",
        "pub(crate) const FRESH_MS: i64 = 2500;",
        _TRACKING + "test_an_end_is_never_missed_beyond_the_bound",
        _CACHED + "test_a_stopped_process_that_nobody_tells_anything_goes_by_its_clock",
        _CACHED + "test_a_broken_network_is_never_a_yes",
    ),
)
"""Few, because each is compiled."""
