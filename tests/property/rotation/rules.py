"""What all rules of the machine work on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

from hypothesis import strategies as st

from tests.property.rotation.disasters import Disasters
from tests.property.rotation.holders import Holders

if TYPE_CHECKING:
    from tests.property.rotation.model import Jar, Session
    from tests.property.rotation.world import World

T = TypeVar("T")
PICK: Final = st.integers(0, 99)
SERVER: Final = st.integers(0, 1)
_MOSTLY: Final = 80
# Most answers arrive, or hardly any example would get anywhere.
DELIVERY: Final = st.sampled_from(["now", "now", "now", "later", "never"])


def with_redis(machine: Any) -> bool:
    """A rule for a Redis that is there."""
    return bool(machine.world.pair.stores.has_redis)


def with_both(machine: Any) -> bool:
    """A rule for stores that are both there."""
    return bool(machine.world.has_all)


class Rules:
    """The sessions of an example, and the world that they live in."""

    world: World

    def __init__(self) -> None:
        super().__init__()
        self.world.story.clear()
        self.holders = Holders(self.world)
        self.disasters = Disasters(self.world, self.holders.sessions)

    def session(self, pick: int) -> Session:
        """One of the sessions, mostly one that lives."""
        every = self.holders.sessions
        living = [one for one in every if one.surely_alive(self.world.now)]
        return living[pick % len(living)] if living and pick < _MOSTLY else every[pick % len(every)]

    def jar(self, pick: int, which: int = 0) -> tuple[Session, Jar]:
        """One of the sessions, and one of its owner's jars."""
        session = self.session(pick)
        return session, session.owner.jars[(pick + which) % len(session.owner.jars)]

    def few(self, picks: list[T]) -> list[T]:
        """All of them; one, where each call waits for a store that is away."""
        return picks if self.world.has_all else picks[:1]

    def flush(self) -> None:
        """Brings to PostgreSQL what the servers know, if it is there."""
        if self.world.pair.stores.has_postgresql and self.world.flush():
            self.disasters.flushed()

    def advance(self, seconds: int) -> None:
        """Lets time pass; what waits is written before, where it can be."""
        self.flush()
        self.world.do(self.world.pair.advance(seconds))
        self.world.tell(f"{seconds} s pass")
