"""Mutants of the key-encryption key, of the command that wraps it, and of the schedule of keys (Python)."""

from typing import Final

from tests.mutants.model import Mutant

_KEK: Final = "tests/stores/test_key_encryption.py::"
_COMMAND: Final = "tests/unit/tokens/test_wrapping_command.py::"
_LIFE: Final = "tests/stores/test_keys.py::"
_BEHIND: Final = "tests/flows/test_snapshot_behind.py::"
_SEARCH: Final = "tests/security/test_private_keys.py::"


def _python(file: str, name: str, breaks: str, text: str, replacement: str, *tests: str) -> Mutant:
    path = f"python/argus/{file}"
    return Mutant(name=name, breaks=breaks, file=path, text=text, replacement=replacement, tests=tests)


KEYS: Final = (
    _python(
        "tokens/kek/store.py",
        "the-choice-is-not-held",
        "Another key-encryption key is chosen while somebody writes under the one before.",
        'current_key_encryption_key FOR SHARE"',
        'current_key_encryption_key"',
        _KEK + "test_what_is_written_meanwhile_is_not_left_behind",
    ),
    _python(
        "tokens/kek/service.py",
        "encrypts-with-its-own",
        "A process encrypts with the key of its settings, which others may not know yet.",
        "chosen = await store.hold_current(tx)",
        "chosen = self.own_id or await store.hold_current(tx)",
        _KEK + "test_processes_with_old_and_new_settings_work_side_by_side",
    ),
    _python(
        "tokens/kek/service.py",
        "a-wrapping-is-believed",
        "A key goes into use though its provider can't give it back.",
        "if await self._wrapping.unwrap(wrapped) != key:",
        "if False:",
        _KEK + "test_a_provider_that_can_not_give_back_what_it_took_is_refused",
    ),
    _python(
        "tokens/kek/service.py",
        "any-key-will-do",
        "Whatever the provider unwraps is taken for the key that was wrapped.",
        "if len(key) == KEY_BYTES and kek_id_of(key) == kek_id:",
        "if len(key) == KEY_BYTES:",
        _KEK + "test_another_key_than_the_wrapped_one_is_refused",
    ),
    _python(
        "tokens/kek/store.py",
        "a-wrapped-key-is-forgotten-too-soon",
        "A wrapped key-encryption key is deleted while signing keys are under it.",
        "              AND NOT EXISTS (SELECT 1 FROM signing_keys s WHERE s.kek_id = k.kek_id)\n",
        "",
        _KEK + "test_a_wrapped_key_is_kept_as_long_as_something_is_under_it",
    ),
    _python(
        "tokens/ring.py",
        "a-key-fits-everywhere",
        "What is encrypted is not bound to its place: it can be moved to another tenant.",
        'return f"signing_keys/{tenant_id}/{use}/{kid}"',
        'return f"signing_keys/{use}/{kid}"',
        _KEK + "test_a_key_that_was_moved_or_changed_is_refused",
    ),
    _python(
        "tokens/kek/command.py",
        "the-program-sees-our-settings",
        "The program that wraps keys gets Argus's own secrets along.",
        "if not name.startswith(PREFIX)",
        "if name",
        _COMMAND + "test_nothing_secret_is_in_its_arguments_or_environment",
    ),
    _python(
        "tokens/kek/command.py",
        "children-outlive-the-program",
        "A program that hangs is killed, and what it started goes on.",
        "os.killpg(process.pid, signal.SIGKILL)",
        "process.kill()",
        _COMMAND + "test_a_program_that_hangs_is_ended_with_its_children",
    ),
    _python(
        "tokens/kek/command.py",
        "what-it-said-is-repeated",
        "An error of the program is shown though it holds the key.",
        "said = _WITHHELD if text in said or (answer and answer in said) else _shown(said)",
        "said = _shown(said)",
        _COMMAND + "test_failures_say_what_is_wrong_and_never_the_key",
    ),
    _python(
        "server/loops.py",
        "a-new-key-is-unwrapped-when-needed",
        "A pulled key waits for the provider of a new key-encryption key.",
        'background.every("key-encryption", _KEKS, argus.keks.learn)',
        'background.every("key-encryption", _KEKS, argus.keks.current)',
        "tests/faults/test_key_encryption.py::test_a_running_server_has_a_new_key_before_it_needs_it",
    ),
    _python(
        "server/snapshot.py",
        "unreadable-keys-are-no-fault",
        "A server that can't follow the keys stays in the load balancer.",
        "            self._can_encrypt = False\n",
        "            pass\n",
        "tests/faults/test_key_encryption.py::"
        "test_a_server_that_can_not_read_the_new_key_says_so_and_goes_on_with_what_it_has",
    ),
    _python(
        "server/snapshot.py",
        "a-reading-under-way-will-do",
        "A name that nobody knew when the reading began is refused though it came into being meanwhile.",
        "            self._following = None\n            try:",
        "            try:",
        _BEHIND + "test_a_reading_that_began_before_the_question_does_not_answer_it",
    ),
    _python(
        "flows/snapshot.py",
        "a-new-name-is-refused-unseen",
        "A caller or a token whose key is new is refused by a process that is behind.",
        "        await snapshot.confirm()\n        outcome, content = ask(True)",
        "        outcome, content = ask(True)",
        _BEHIND + "test_callers_with_tokens_of_a_new_key_client_or_tenant_are_known",
        _BEHIND + "test_tokens_of_a_new_key_are_good_at_once",
    ),
    _python(
        "tokens/ring.py",
        "pulled-keys-are-kept",
        "The private half of a key that was pulled stays where it can be stolen once more.",
        "        if self._is_useless(revoked):\n",
        "        if False:\n",
        _LIFE + "test_of_a_pulled_key_that_only_verifies_nothing_but_its_name_is_kept",
    ),
    _python(
        "server/snapshot.py",
        "one-damaged-ring-stops-all",
        "A tenant whose keys can't be read holds up the changes of all others.",
        "            if before is None:\n                raise fault",
        "            if True:\n                raise fault",
        "tests/flows/test_snapshot.py::test_a_tenant_whose_keys_are_damaged_keeps_no_other_from_its_changes",
    ),
    _python(
        "tokens/service.py",
        "retired-keys-are-revoked",
        "A key whose private half is gone is pulled, and said to be so.",
        '            if key.state in {"revoked", "retired"}:\n',
        '            if key.state == "revoked":\n',
        "tests/stores/test_keys.py::test_a_retired_key_can_be_pulled_and_stays_what_it_is",
    ),
    _python(
        "tokens/ring.py",
        "a-key-set-without-bound",
        "A ring publishes more keys than consumers take: none of them is found any more.",
        "if len(kept) >= MOST_KEYS[self._use]:",
        "if len(kept) > MOST_KEYS[self._use]:",
        _LIFE + "test_a_ring_publishes_no_more_keys_than_consumers_take",
    ),
    _python(
        "tokens/ring.py",
        "a-full-ring-keeps-what-leaked",
        "An emergency is refused because there are many keys.",
        "        if not is_emergency:\n            await",
        "        if True:\n            await",
        _LIFE + "test_a_ring_publishes_no_more_keys_than_consumers_take",
    ),
    _python(
        "tokens/ring.py",
        "retired-keys-are-kept",
        "The private half of a key that is over stays in PostgreSQL and its backups.",
        "what is not there can't be stolen.\n                await store.erase_private(self._tx, key)\n",
        "what is not there can't be stolen.\n",
        _LIFE + "test_a_key_is_published_before_it_signs_and_kept_after",
    ),
    _python(
        "tokens/reencryption.py",
        "every-run-has-its-own-key",
        "Runs beside each other each have a key wrapped, and each says that everything is under its own.",
        "            if await self._is_chosen(before):\n",
        "            if not await self._keks.is_replaceable():\n",
        "tests/stores/test_key_encryption.py::test_a_change_that_was_not_finished_is_gone_on_with",
    ),
    _python(
        "tokens/store.py",
        "one-schedule-for-all",
        "A tenant's own rotation period does not count.",
        "COALESCE(t.key_rotation_period, %(period)s)",
        "%(period)s::interval",
        _LIFE + "test_a_tenant_may_have_a_schedule_of_its_own_or_none",
    ),
    _python(
        "tokens/service.py",
        "a-full-ring-stops-the-schedule",
        "One ring without a free id keeps all others from their next keys.",
        "except KeyRingFullError as error:",
        "except LookupError as error:",
        _LIFE + "test_a_ring_that_is_full_keeps_no_other_from_its_next_key",
    ),
    _python(
        "tokens/model.py",
        "a-key-shows-itself",
        "The `repr` of a key is the key.",
        'return f"UsableKey(use={self.key.use!r}, kid={self.key.kid!r})"',
        'return f"UsableKey({self.private_key!r})"',
        _SEARCH + "test_nothing_that_is_said_holds_a_private_key",
    ),
    _python(
        "cli/config.py",
        "secrets-are-shown",
        "`argus config show` shows secrets.",
        'return "(set)" if value.get_secret_value() else ""',
        "return value.get_secret_value()",
        _SEARCH + "test_no_command_shows_a_private_key",
    ),
    _python(
        "cli/main.py",
        "cores-are-dumped",
        "A process that dies leaves its memory, keys included, on a disk.",
        "    _forbid_core_dumps()\n    try:\n",
        "    try:\n",
        "tests/faults/test_core_dumps.py::test_a_server_that_is_aborted_leaves_no_core",
    ),
)
