"""Any order of refreshes, losses, thefts and ends, on real stores."""

from __future__ import annotations

import sys

from hypothesis.stateful import RuleBasedStateMachine

from tests.property.rotation.rules_of_ends import EndRules
from tests.property.rotation.rules_of_holders import HolderRules
from tests.property.rotation.rules_of_stores import StoreRules


class RotationMachine(HolderRules, EndRules, StoreRules, RuleBasedStateMachine):
    """All rules together; the model is in `model`, what must hold in `checks`."""

    def teardown(self) -> None:
        """With the stores back, who should be in is in, and who has ended stays out."""
        failure = sys.exc_info()[1]
        if isinstance(failure, Exception):  # anything else is how hypothesis gives an example up
            self.world.failed(failure)
        self.disasters.bring_back()
        self.world.carry_out()
        if failure is None:
            try:
                self._settle()
            except AssertionError as error:
                self.world.failed(error)
                raise

    def _settle(self) -> None:
        self.flush()
        for session in self.holders.sessions:
            for jar in session.owner.jars:
                self.holders.refresh(session, session.owner, jar, server=0)
                self.holders.verify(session, jar, server=1)
        self.flush()
        self.disasters.look_at_bounds(is_flushed=True)
        self.world.counts["examples"] += 1
        self.world.counts["sessions"] += len(self.holders.sessions)
