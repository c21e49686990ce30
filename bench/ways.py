"""The ways in which one Argus is measured: as settings of servers over the same stores."""

from collections.abc import Mapping
from typing import Any, Final

_CACHES_OFF: Final[Mapping[str, Any]] = {"signature_cache_mib": 0, "state_cache_mib": 0}

FRONT_DOOR: Final[Mapping[str, Any]] = {"front_door": "on", **_CACHES_OFF}
"""The front door; the signature of what is asked about is checked and Redis is asked every time."""

GRPCIO: Final[Mapping[str, Any]] = {"front_door": "off", **_CACHES_OFF}
"""The same through grpcio."""

CACHED: Final[Mapping[str, Any]] = {"front_door": "on"}
"""The front door with its caches, as Argus comes."""
