"""How long sessions may live at all, as policies say now and lists go by."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class LongestLife:
    """Longest life of a client's sessions.

    Attributes:
        of_most: By what is in force for the client.
        of_narrower: Of those whose own was given by a narrower scope: by what presets demand of the client's.
    """

    of_most: timedelta
    of_narrower: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class LongestLives:
    """Longest lives by client.

    Attributes:
        of_most: Of the clients that have none of their own.
        of_clients: By the ids of the others.
    """

    of_most: LongestLife
    of_clients: Mapping[str, LongestLife]

    def of(self, client_id: str, *, is_narrower: bool) -> timedelta:
        """That of a session.

        Args:
            client_id: Its client.
            is_narrower: A narrower scope than the client gave it its own.
        """
        life = self.of_clients.get(client_id, self.of_most)
        return life.of_narrower if is_narrower else life.of_most
