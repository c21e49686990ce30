"""All mutants. Those that must be compiled come last."""

from typing import Final

from tests.mutants.browser import BROWSER
from tests.mutants.controls import CONTROLS
from tests.mutants.engine import ENGINE
from tests.mutants.factors import FACTORS
from tests.mutants.flows import FLOWS
from tests.mutants.keys import KEYS
from tests.mutants.policies import POLICIES
from tests.mutants.revocations import REVOCATIONS
from tests.mutants.sdk import SDK
from tests.mutants.stores import STORES
from tests.mutants.table import TABLE

MUTANTS: Final = (*TABLE, *STORES, *FLOWS, *KEYS, *REVOCATIONS, *SDK, *BROWSER, *FACTORS, *POLICIES, *CONTROLS, *ENGINE)
