"""Mutants of what is decided in Rust around the function; each needs a new extension."""

from typing import Final

from tests.mutants.model import Mutant

_REFRESH: Final = "tests/rpc/engine/test_refresh.py::"
_OUTAGES: Final = "tests/rpc/engine/test_outages.py::"


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
)
"""Few, because each is compiled."""
