"""The presets have the numbers that stand here, each with a clause or an asterisk, and no others."""

from argus.base.policy import RULES
from argus.policies.presets import PRESETS
from tests.presets.numbers import NUMBERS


def test_presets_have_these_numbers_and_no_others() -> None:
    """Each has a test of its own: the tests of a number are its cases."""
    read = {(one.preset, one.key, one.privileged): one.value for one in NUMBERS if one.key in RULES}
    assert read == {(name, one.key, one.privileged): one.value for name, said in PRESETS.items() for one in said}


def test_what_is_our_own_choice_is_said_to_be() -> None:
    """An asterisk there is an asterisk here."""
    ours = {(one.preset, one.key, one.privileged) for one in NUMBERS if one.clause.endswith("*")}
    assert ours == {(name, one.key, one.privileged) for name, said in PRESETS.items() for one in said if one.is_ours}
