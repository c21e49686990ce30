"""Limits that more than one feature must know."""

from datetime import timedelta
from typing import Final

LONGEST_ACCESS_LIFE: Final = timedelta(hours=1)
"""No policy lets an access token live longer, so no key is needed longer to verify one."""

LONGEST_SESSION: Final = timedelta(days=90)
"""No policy lets a session, and with it a refresh token, live longer."""

CLOCK_LEEWAY: Final = timedelta(seconds=5)
"""How far clocks may be apart."""

NEWS_BOUND: Final = timedelta(seconds=5)
"""How old the news of what is over may be for those that verify by themselves, if they do not say otherwise."""

RSA_SIZES: Final = (2048, 3072, 4096)
"""Bits of the RSA keys that Argus makes."""

SHORTEST_KEY_ROTATION: Final = timedelta(days=1)
"""No key is replaced sooner by schedule: ids of refresh-id keys fit a byte, and each is kept for a session."""

LONGEST_KEY_ROTATION: Final = timedelta(days=3650)
"""No schedule is longer; none at all is."""
