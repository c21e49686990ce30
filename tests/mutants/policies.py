"""Mutants of what policies demand, beside those of `controls`."""

from typing import Final

from tests.mutants.model import Mutant

_SESSIONS: Final = "tests/presets/test_sessions.py::"
_SIGN_IN: Final = "tests/presets/test_sign_in.py::"
_PASSWORDS: Final = "tests/presets/test_passwords.py::"
_UPKEEP: Final = "tests/presets/test_upkeep.py::"
_NARROWER: Final = "tests/flows/test_narrower_scopes.py::"
_REPLAYED: Final = (
    "tests/flows/test_policies_replayed.py::test_a_simulation_says_of_each_event_and_end_what_a_live_run_did"
)
_COOKIES: Final = "tests/web/browser/test_settings.py::"


def _break(part: str, name: str, breaks: str, text: str, replacement: str, *tests: str) -> Mutant:
    file = f"python/argus/{part}"
    return Mutant(name=name, breaks=breaks, file=file, text=text, replacement=replacement, tests=tests)


POLICIES: Final = (
    _break(
        "flows/self/fresh_proof.py",
        "a-proof-for-everything",
        "Where every change needs a proof of its own, one opens the door to the next.",
        "if not age and await self._proofs.is_used(",
        "if age and await self._proofs.is_used(",
        _SIGN_IN + "test_asvs_7_5_3_a_proof_counts_once_and_a_failure_does_not_use_it",
    ),
    _break(
        "policies/decision.py",
        "backends-vouch-past-the-kind",
        "A backend begins sessions by factors that do not count here.",
        "policy.required_acr > 1 and not has_counting_factor(",
        "policy.required_acr > 3 and not has_counting_factor(",
        _SIGN_IN + "test_second_factor",
    ),
    _break(
        "server/policy_messages.py",
        "a-kind-kept-to-oneself",
        "Living sessions without a factor of the kind are refreshed.",
        "second_factor=_SECOND_FACTORS.index(policy.second_factor),",
        "second_factor=0,",
        _SIGN_IN + "test_living_sessions_step_up_to_the_kind",
    ),
    _break(
        "credentials/password_history/service.py",
        "hashes-are-kept-for-good",
        "Hashes of earlier passwords stay when nothing is held against them any more.",
        "kept=max(depth - 1, 0)",
        "kept=24",
        _PASSWORDS + "test_hashes_are_kept_no_longer_than_they_are_asked_for",
        _PASSWORDS + "test_password_history",
    ),
    _break(
        "users/unused.py",
        "no-way-back",
        "A user that was enabled again is closed by the next round.",
        "SELECT user_id, GREATEST(create_time, enable_time) AS since FROM users",
        "SELECT user_id, create_time AS since FROM users",
        _UPKEEP + "test_unused_account",
    ),
    _break(
        "users/store.py",
        "deleted-though-back",
        "A user that was enabled again, and disabled by somebody, is deleted as if nobody cared for it.",
        "UPDATE users SET enable_time = %s, unused_time = NULL WHERE",
        "UPDATE users SET enable_time = %s WHERE",
        _UPKEEP + "test_unused_account_kept",
    ),
    _break(
        "users/service.py",
        "deleted-though-looked-at",
        "A user that somebody disables who was disabled for want of use is deleted all the same.",
        "await store.mark_disabled(tx, tenant_id, user_id, unused=None)",
        "pass",
        _UPKEEP + "test_unused_account_kept",
    ),
    _break(
        "sessions/store.py",
        "a-deleted-user-leaves-addresses",
        "Of a deleted user it stays known from where it signed in.",
        "ip_address = NULL, seen_ip_address = NULL,",
        "ip_address = ip_address, seen_ip_address = NULL,",
        "tests/security/test_erasure.py::test_nothing_is_left_of_a_deleted_user_but_its_id",
    ),
    _break(
        "web/browser/cookie_rules.py",
        "cookies-outlive-the-browser",
        "Browsers keep a session's cookies though the policy says until they are closed.",
        "return life if self.is_kept else None",
        "return life",
        _COOKIES + "test_cookies_of_a_session_last_until_the_browser_is_closed",
        _COOKIES + "test_a_policy_says_how_cookies_are_kept",
    ),
    _break(
        "policies/living.py",
        "narrower-scopes-are-held-to-their-client",
        "What a group or user was given beyond its client has no effect once the session is used.",
        "    return frozenset(\n        key\n        for key in _HELD\n        if fields[key].is_narrower\n",
        "    return frozenset(\n        key\n        for key in _HELD\n        if False\n",
        _NARROWER + "test_a_longer_value_counts_to_its_second",
        _NARROWER + "test_a_shortened_client_leaves_what_narrower_scopes_gave",
    ),
    _break(
        "server/policy_messages.py",
        "no-ceiling-for-narrower-scopes",
        "A preset that is set later does not bite where a user was given more.",
        'idle=demanded.get("idle_seconds", 0),',
        "idle=0,",
        _NARROWER + "test_a_preset_that_is_set_later_bites",
    ),
    _break(
        "sessions/store.py",
        "lists-hold-all-to-their-client",
        "Lists say that a session is over which a user's longer life lets live.",
        "THEN COALESCE(l.narrower, %(narrower_life)s) ELSE",
        "THEN COALESCE(l.life, %(life)s) ELSE",
        _NARROWER + "test_a_longer_value_counts_to_its_second",
    ),
    _break(
        "sessions/model.py",
        "ended-before-it-was-shortened",
        "A session that a shorter policy ends is said to have ended while calls were answered good.",
        "return max(one for one in (deadline, self.shortened_time, self.last_active_time) if one is not None)",
        "return deadline",
        "tests/flows/test_policies_of_then.py::test_a_life_that_is_shortened_to_the_past_ends_when_it_is",
    ),
    _break(
        "flows/policy_following.py",
        "settings-are-for-new-sessions",
        "A shortened default of the installation does not reach living sessions.",
        "await store.follow_default(tx, self._default_digest, now=now)",
        "pass",
        "tests/faults/test_default_policy.py::test_sessions_follow_a_changed_default_and_the_sweeper_ends_them",
    ),
    _break(
        "flows/touch.py",
        "reports-go-by-what-was",
        "Reported activity extends a session by the policy that it began under.",
        "policy = held_to(await self._policies.numbered(tenant_id, record.policy_revision), known.present)",
        "policy = await self._policies.by_revision(tenant_id, record.policy_revision)",
        "tests/flows/test_touch.py::test_a_report_goes_by_what_the_session_is_held_to",
    ),
    _break(
        "sessions/model.py",
        "lists-show-the-dead",
        "Lists and look-ups show a session for two seconds after its deadline.",
        "if min(self.idle_deadline, self.absolute_deadline) > now:",
        "if min(self.idle_deadline, self.absolute_deadline).timestamp() > now.timestamp() - 2:",
        "tests/flows/test_boundaries.py::test_a_deadline_is_one_second_for_everybody",
    ),
    _break(
        "sessions/model.py",
        "an-end-of-use-is-called-idle",
        "A session that reached its absolute end in use is said to have been idle.",
        "if whole_second(self.absolute_deadline) <= self.idle_deadline:",
        "if self.absolute_deadline <= self.idle_deadline:",
        _SESSIONS + "test_absolute",
    ),
    _break(
        "sessions/limit_order.py",
        "the-newest-make-room-in-hindsight",
        "A simulation ends the sessions that began last, where the oldest make room.",
        "return lambda one: (one.moment, one.session_id)",
        "return lambda one: (-one.moment, one.session_id)",
        "tests/stores/test_limit_order.py::test_the_twin_lets_in_refuses_and_ends_as_the_function_does",
    ),
    _break(
        "flows/replaying/lives.py",
        "simulated-deadlines-never-pass",
        "A simulation lets sessions live on past their deadlines.",
        "            if life.is_over(to):",
        "            if life.is_over(to) and life.is_in_doubt:",
        _REPLAYED,
    ),
    _break(
        "sessions/replayed.py",
        "simulated-refreshes-are-no-use",
        "A simulation counts idle times from the begin alone.",
        "            self.idle_first = whole_second(at) + policy.idle\n            self.idle_last",
        "            self.idle_last",
        _REPLAYED,
    ),
)
"""All of them."""
