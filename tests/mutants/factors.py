"""Mutants of factors: levels, codes, passkeys, links in mails, confirmed actions, ways back."""

from typing import Final

from tests.mutants.model import Mutant

_LEVELS: Final = "tests/unit/credentials/test_levels.py::"
_FACTORS: Final = "tests/flows/test_factors.py::"
_STEP_UP: Final = "tests/flows/test_factor_step_up.py::"
_PASSKEYS: Final = "tests/flows/test_passkeys.py::"
_WEBAUTHN: Final = "tests/unit/credentials/test_webauthn.py::"
_LINKS: Final = "tests/flows/test_account_links.py::"
_RESET: Final = "tests/flows/test_factor_reset.py::"
_OWN: Final = "tests/rpc/test_own_factors.py::"


def _break(part: str, name: str, breaks: str, text: str, replacement: str, *tests: str) -> Mutant:
    file = f"python/argus/{part}"
    return Mutant(name=name, breaks=breaks, file=file, text=text, replacement=replacement, tests=tests)


FACTORS: Final = (
    _break(
        "credentials/levels.py",
        "a-code-by-mail-is-a-second-factor",
        "A code by mail beside a password is level 2, though mailboxes are opened with passwords.",
        '_POSSESSIONS: Final = frozenset({"totp", "recovery_code", "webauthn"})',
        '_POSSESSIONS: Final = frozenset({"totp", "recovery_code", "webauthn", "email_code"})',
        _LEVELS + "test_level_and_methods",
    ),
    _break(
        "credentials/levels.py",
        "a-copied-key-is-hardware",
        "A key that can be copied to other devices reaches level 3.",
        "any(one.user_verified and one.device_bound and one.attested for one in factors)",
        "any(one.user_verified and one.attested for one in factors)",
        _LEVELS + "test_level_and_methods",
        _PASSKEYS + "test_level_3_needs_a_proved_make_and_a_key_that_stays",
    ),
    _break(
        "credentials/levels.py",
        "the-second-factor-is-not-asked-for",
        "Whoever has a second factor signs in without it.",
        "has_second_factor = any(one.method in _SECOND_FACTORS for one in enrolled)",
        "has_second_factor = not enrolled",
        _FACTORS + "test_whoever_has_an_app_is_asked_for_it",
    ),
    _break(
        "credentials/totp/store.py",
        "a-step-counts-again",
        "Of parallel uses of one code several succeed.",
        "AND credential_id = %s AND last_step < %s",
        "AND credential_id = %s AND last_step <= %s",
        _FACTORS + "test_l08_of_64_parallel_uses_one_succeeds",
    ),
    _break(
        "credentials/totp/model.py",
        "two-steps-of-drift",
        "Codes count for twice as long as clocks may be wrong.",
        "DRIFT_STEPS: Final = 1",
        "DRIFT_STEPS: Final = 2",
        _FACTORS + "test_one_step_of_drift_counts_either_way_and_two_do_not",
    ),
    _break(
        "credentials/recovery_codes/store.py",
        "a-spent-recovery-code-works-again",
        "A recovery code stands in any number of times.",
        '"DELETE FROM recovery_codes WHERE tenant_id = %s AND credential_id = %s AND code_hmac = %s",',
        '"SELECT 1 FROM recovery_codes WHERE tenant_id = %s AND credential_id = %s AND code_hmac = %s",',
        _FACTORS + "test_recovery_codes_stand_in_once_each",
    ),
    _break(
        "flows/progress.py",
        "a-replaced-password-counts",
        "Whoever has proved a password goes on with it after its owner has set another one.",
        "password.create_time <= login.begin_time",
        "login.begin_time is not None",
        _FACTORS + "test_who_proved_a_password_that_was_replaced_begins_anew",
    ),
    _break(
        "credentials/passkeys/model.py",
        "a-pin-set-later-counts",
        "Whoever finds a key sets a PIN on it and is two factors.",
        "return self.asserted.user_verified and self.passkey.uv_initialized",
        "return self.asserted.user_verified",
        _PASSKEYS + "test_a_pin_that_somebody_set_later_proves_nothing",
    ),
    _break(
        "credentials/passkeys/model.py",
        "a-copy-is-not-seen",
        "A counter that goes back says nothing.",
        "return (stored, presented) != (0, 0) and presented <= stored",
        "return (stored, presented) != (0, 0) and presented < 0",
        _PASSKEYS + "test_a_copy_shows_by_its_counter",
    ),
    _break(
        "credentials/webauthn/attestation.py",
        "a-leaf-issues-certificates",
        "Whoever has the key of an attestation certificate makes authenticators of its own.",
        "    return may_issue\n",
        "    return may_issue or True\n",
        _WEBAUTHN + "test_only_certificates_that_may_issue_others_do",
    ),
    _break(
        "accounts/store.py",
        "a-link-works-twice",
        "A link in a mail works as often as it is followed.",
        "AND purpose = %s AND use_time IS NULL AND expire_time > %s",
        "AND purpose = %s AND expire_time > %s",
        _LINKS + "test_of_many_at_once_one_uses_a_link",
    ),
    _break(
        "flows/accounts/recovery.py",
        "a-link-in-the-hand-proves-an-address",
        "A link that an administrator has handed over is taken for one that came by mail.",
        'if link.purpose == "handover":',
        'if link.purpose == "never":',
        _RESET + "test_a_link_in_the_hand_sets_a_password_and_nothing_else",
    ),
    _break(
        "flows/actions.py",
        "an-action-token-for-another-action",
        "What was confirmed for one action is good for another one.",
        "    if grant.action_sha256 != action_sha256:\n",
        "    if not grant.action_sha256:\n",
        _STEP_UP + "test_an_action_is_confirmed_once_to_whoever_carries_it_out",
    ),
    _break(
        "sessions/action_store.py",
        "an-action-is-confirmed-twice",
        "An action token is good any number of times.",
        "return bool(await self._redis.client.delete(_key(tenant_id, token_sha256)))",
        "return bool(await self._redis.client.exists(_key(tenant_id, token_sha256)))",
        _STEP_UP + "test_an_action_is_confirmed_once_to_whoever_carries_it_out",
    ),
    _break(
        "server/policy_messages.py",
        "a-raised-level-is-kept-to-oneself",
        "Living sessions below a raised level are refreshed.",
        "required_acr=policy.required_acr,",
        "required_acr=0,",
        _STEP_UP + "test_a_raised_level_asks_living_sessions_to_step_up",
    ),
    _break(
        "flows/self/own_credentials.py",
        "the-required-factor-goes",
        "A user takes the last factor away that reaches the required level.",
        "if _reached(left, provable, kind) < required <= _reached([deleted, *left], provable, kind):",
        "if required < 0:",
        _OWN + "test_what_the_policy_requires_stays",
    ),
)
"""One or two for each kind of factor."""
