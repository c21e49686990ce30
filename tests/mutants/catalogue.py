"""All mutants. Those that must be compiled come last."""

from typing import Final

from tests.mutants.engine import ENGINE
from tests.mutants.flows import FLOWS
from tests.mutants.keys import KEYS
from tests.mutants.stores import STORES
from tests.mutants.table import TABLE

MUTANTS: Final = (*TABLE, *STORES, *FLOWS, *KEYS, *ENGINE)
