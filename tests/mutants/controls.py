"""Mutants that take away a control of presets: one for each, at the place that enforces it."""

from typing import Final

from tests.mutants.model import Mutant

_PRESETS: Final = "tests/presets/"
_DEADLINES: Final = "rust_core/core/src/lua/deadlines.lua"


def _without(
    name: str, breaks: str, file: str, text: str, replacement: str, tests: str, *controls: str
) -> tuple[Mutant, tuple[str, ...]]:
    file = file if file.endswith(".lua") else f"python/argus/{file}"
    test = f"{_PRESETS}{tests}"
    return Mutant(name=name, breaks=breaks, file=file, text=text, replacement=replacement, tests=(test,)), controls


_ALL: Final = (
    _without(
        "sessions-idle-for-ever",
        "A session that nobody uses goes on.",
        _DEADLINES,
        "if now < math.min(absolute, idle_deadline) then",
        "if now < absolute then",
        "test_sessions.py::test_idle",
        "idle_seconds",
        "idle_seconds (privileged)",
        "refresh_is_activity",
    ),
    _without(
        "nobody-is-privileged",
        "Numbers for privileged access are left out.",
        "policies/resolve.py",
        "privileged=resolved[_PRIVILEGED].value",
        "privileged=False",
        "test_sessions.py::test_session_limit",
        "idle_seconds (privileged)",
        "session_limit (privileged)",
    ),
    _without(
        "sessions-in-use-go-on",
        "A session that is used goes on for ever.",
        _DEADLINES,
        "return math.min(session.absolute_deadline, plus(session.created, absolute_max))",
        "return plus(session.created, 9 * absolute_max)",
        "test_sessions.py::test_absolute",
        "absolute_seconds",
    ),
    _without(
        "access-for-an-hour",
        "Access tokens live for an hour whatever the policy.",
        "server/policy_messages.py",
        "access=_whole(policy.access),",
        "access=3600,",
        "test_sessions.py::test_access",
        "access_seconds",
    ),
    _without(
        "refresh-tokens-live-as-sessions",
        "Refresh tokens live as long as their session whatever the policy.",
        "server/policy_messages.py",
        "refresh=_whole(policy.refresh),",
        "refresh=0,",
        "test_sessions.py::test_refresh",
        "refresh_seconds",
    ),
    _without(
        "programs-keep-sessions-alive",
        "A refresh that no user asked for is a use.",
        "server/policy_messages.py",
        "refresh_is_activity=policy.refresh_is_activity,",
        "refresh_is_activity=True,",
        "test_sessions.py::test_refresh_is_no_activity",
        "refresh_is_activity",
    ),
    _without(
        "guesses-never-wait",
        "Failures are as many as somebody likes.",
        "flows/tries.py",
        "return lockout_budget(policy.lockout_tries, policy.lockout)",
        "return lockout_budget(1_000_000, policy.lockout)",
        "test_sign_in.py::test_lockout_tries",
        "lockout_tries",
        "lockout_seconds",
    ),
    _without(
        "a-lockout-of-a-second",
        "After as many failures as are allowed the next try waits a second, not half an hour.",
        "threats/guessing/model.py",
        "first_wait=lockout, longest_wait",
        "first_wait=usual.first_wait, longest_wait",
        "test_sign_in.py::test_lockout_seconds",
        "lockout_seconds",
    ),
    _without(
        "passwords-are-never-closed",
        "A hundred failures close nothing.",
        "flows/tries.py",
        "attempt.failures >= CLOSING_FAILURES:",
        "attempt.failures >= 9 * CLOSING_FAILURES:",
        "test_sign_in.py::test_password_closed_after",
        "password_closed_after",
    ),
    _without(
        "any-level-begins-sessions",
        "Nobody asks which level was proved.",
        "policies/decision.py",
        "has_level = (facts.acr or 0) >= policy.required_acr",
        "has_level = True",
        "test_sign_in.py::test_required_acr",
        "required_acr",
    ),
    _without(
        "any-factor-counts",
        "A code that can be phished counts where only passkeys do.",
        "base/factor_kinds.py",
        'return kind == "any" or not _COUNTING[kind].isdisjoint(amr)',
        "return bool(kind) or bool(amr)",
        "test_sign_in.py::test_second_factor",
        "second_factor",
    ),
    _without(
        "a-proof-of-yesterday",
        "Factors change by a proof of yesterday.",
        "flows/self/fresh_proof.py",
        "return in_force.policy.step_up_age",
        "return timedelta(days=1)",
        "test_sign_in.py::test_step_up_age",
        "step_up_age_seconds",
    ),
    _without(
        "sessions-without-number",
        "A user has as many sessions as it likes.",
        "flows/create_session.py",
        "user=policy.session_limit,",
        "user=0,",
        "test_sessions.py::test_session_limit",
        "session_limit",
        "session_limit (privileged)",
    ),
    _without(
        "short-passwords-alone",
        "A password that is the only factor may have any length.",
        "base/policy.py",
        "if self.required_acr > 1 else self.password_min_alone",
        "if self.required_acr > 1 else 1",
        "test_passwords.py::test_password_min_alone",
        "password_min_alone",
    ),
    _without(
        "short-passwords-beside-others",
        "A password beside a second factor may have any length.",
        "base/policy.py",
        "return self.password_min_with_second_factor if self",
        "return 1 if self",
        "test_passwords.py::test_password_min_with_second_factor",
        "password_min_with_second_factor",
    ),
    _without(
        "letters-are-enough",
        "A password without digits passes where both are asked for.",
        "credentials/model.py",
        'if composition == "letters_and_digits" and not',
        "if not composition and not",
        "test_passwords.py::test_password_composition",
        "password_composition",
    ),
    _without(
        "one-password-less-is-remembered",
        "The oldest of the passwords that must not come again may.",
        "credentials/password_history/service.py",
        "kept=max(depth - 1, 0)",
        "kept=max(depth - 2, 0)",
        "test_passwords.py::test_password_history",
        "password_history",
    ),
    _without(
        "an-old-password-begins-sessions",
        "A password alone begins sessions however old it is.",
        "flows/progress.py",
        "password.create_time + most <= self._now()",
        "password.create_time > self._now()",
        "test_passwords.py::test_password_age",
        "password_max_age_seconds",
    ),
    _without(
        "sessions-survive-a-recovery",
        "Whoever had the password before keeps the sessions.",
        "flows/accounts/recovery.py",
        "terminate_sessions=policy.recovery_ends_sessions,",
        "terminate_sessions=False,",
        "test_recovery.py::test_recovery_ends_sessions",
        "recovery_ends_sessions",
    ),
    _without(
        "unused-accounts-stay-open",
        "A user is closed after twice the time.",
        "flows/unused_accounts.py",
        "_last_use(user, since, used) + span <= now:",
        "_last_use(user, since, used) + 2 * span <= now:",
        "test_upkeep.py::test_unused_account",
        "unused_account_seconds",
    ),
    _without(
        "unused-accounts-are-kept",
        "A user that was disabled for want of use is kept for twice the time.",
        "flows/unused_accounts.py",
        "if kept and since + kept <= now:",
        "if kept and since + 2 * kept <= now:",
        "test_upkeep.py::test_unused_account_kept",
        "unused_account_kept_seconds",
    ),
    _without(
        "records-go-early",
        "Audit events are deleted two days early.",
        "audit/store.py",
        "AND time < %s\n                   ORDER BY time, event_id LIMIT %s FOR UPDATE SKIP LOCKED",
        "AND time < %s + interval '2 days'\n                   ORDER BY time, event_id LIMIT %s FOR UPDATE SKIP LOCKED",
        "test_upkeep.py::test_audit_retention",
        "audit_retention_seconds",
    ),
    _without(
        "addresses-stay-whole",
        "Addresses in old audit events are left as they are.",
        "audit/store.py",
        "WHEN 4 THEN 24 ELSE 48 END))",
        "WHEN 4 THEN 32 ELSE 128 END))",
        "test_upkeep.py::test_audit_ip_retention",
        "audit_ip_retention_seconds",
    ),
)

CONTROLS: Final = tuple(mutant for mutant, _ in _ALL)
"""All of them."""

TAKEN_AWAY: Final = {mutant.name: controls for mutant, controls in _ALL}
"""By name: the controls (`Number.control` of tests/presets) whose numbers nothing enforces any more."""
