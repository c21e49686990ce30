"""How long sessions may live at all, as policies say now and lists go by."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class LongestLives:
    """Longest lives by client.

    Attributes:
        of_most: Of the clients that have none of their own.
        of_clients: By the ids of the others.
    """

    of_most: timedelta
    of_clients: Mapping[str, timedelta]

    def of(self, client_id: str) -> timedelta:
        """That of a client's sessions."""
        return self.of_clients.get(client_id, self.of_most)
