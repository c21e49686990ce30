"""How long sessions may live at all, as policies say now and lists go by."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class LongestLife:
    """Longest life of a client's sessions.

    Attributes:
        of_most: By what is in force for the client.
        of_narrower: Of those whose own was given by a narrower scope: by what presets demand of the client's.
        since: When what is in force for the client was last changed; None: nothing is set.
    """

    of_most: timedelta
    of_narrower: timedelta
    since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LongestLives:
    """Longest lives by client.

    Attributes:
        of_most: Of the clients that have none of their own.
        of_clients: By the ids of the others.
    """

    of_most: LongestLife
    of_clients: Mapping[str, LongestLife]

    def of(self, client_id: str) -> LongestLife:
        """That of a client's sessions."""
        return self.of_clients.get(client_id, self.of_most)
