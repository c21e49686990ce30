"""The mutants fit the code: what they change is there, and so are the tests that must see it (`make mutants`)."""

import ast
import re
from functools import cache

import pytest

from tests.mutants.catalogue import MUTANTS
from tests.mutants.model import ROOT, Mutant


@cache
def names_in(file: str) -> set[str]:
    """Names of the tests in a file."""
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in tree.body if isinstance(node, kinds) and node.name.startswith("test_")}


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_fits_the_code(mutant: Mutant) -> None:
    """Its text is in its file exactly once, and its tests are there."""
    assert mutant.mutated() != mutant.original()
    assert mutant.tests
    for test in mutant.tests:
        file, _, name = test.partition("::")
        assert name in names_in(file), test


def test_names_are_names() -> None:
    """Each once, and fit for a command line; what is broken is a sentence."""
    names = [one.name for one in MUTANTS]
    assert len(set(names)) == len(names)
    for one in MUTANTS:
        assert re.fullmatch(r"[a-z][a-z-]+", one.name), one.name
        assert one.breaks.endswith("."), one.name
