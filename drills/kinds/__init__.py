"""All drills, a file a group."""

from typing import Final

from drills.kinds import argus, both, network, postgresql, redis, replica
from drills.scene import Drill

ALL: Final[tuple[Drill, ...]] = (
    *argus.DRILLS,
    *redis.DRILLS,
    *replica.DRILLS,
    *postgresql.DRILLS,
    *both.DRILLS,
    *network.DRILLS,
)
"""Every drill, in the order of the table."""
