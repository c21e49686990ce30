"""Mutants of the write orders and of what is said of them (Python)."""

from typing import Final

from tests.mutants.model import Mutant

FLOWS: Final[tuple[Mutant, ...]] = ()
"""One for each order of `rotation.md`, section 3."""
