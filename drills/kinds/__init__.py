"""All drills, a file a group."""

from typing import Final

from drills.kinds import argus, both, network, postgresql, redis, replica, sentinel
from drills.scene import Drill

ALL: Final[tuple[Drill, ...]] = (
    *argus.DRILLS,
    *redis.DRILLS,
    *replica.DRILLS,
    *sentinel.DRILLS,
    *postgresql.DRILLS,
    *both.DRILLS,
    *network.DRILLS,
)
"""Every drill, in the order of the table."""
