"""Limits that more than one feature must know."""

from datetime import timedelta
from typing import Final

LONGEST_ACCESS_LIFE: Final = timedelta(hours=1)
"""No policy lets an access token live longer, so no key is needed longer to verify one."""

LONGEST_SESSION: Final = timedelta(days=90)
"""No policy lets a session, and with it a refresh token, live longer."""

CLOCK_LEEWAY: Final = timedelta(seconds=5)
"""How far clocks may be apart."""
