"""What is known about work that is done together, for Prometheus."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, TypeVar

from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.registry import Collector

from argus.storage.together import Together
from argus.storage.waves import Waves

T = TypeVar("T")
R = TypeVar("R")

_SIZES: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256)
_WAITS: Final = (0.0005, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)


class TogetherMetrics:
    """Sizes of batches, how long their parts waited for them, how many wait, how many were turned away; by work."""

    def __init__(self) -> None:
        # In no registry yet: several servers may run in one process (tests).
        self._size = Histogram(
            "argus_group_size", "Parts of a batch that is done together.", ("work",), buckets=_SIZES, registry=None
        )
        self._wait = Histogram(
            "argus_group_wait_seconds",
            "How long parts waited for their batch.",
            ("work",),
            buckets=_WAITS,
            registry=None,
        )
        self._waiting = Gauge("argus_group_waiting", "Parts that wait for a batch.", ("work",), registry=None)
        self._refused = Counter(
            "argus_group_refused", "Parts turned away because too many waited.", ("work",), registry=None
        )

    @property
    def collectors(self) -> Sequence[Collector]:
        """For a registry."""
        return (self._size, self._wait, self._waiting, self._refused)

    def together(
        self, name: str, work: Callable[[Sequence[T]], Awaitable[Sequence[R | Exception]]], **options: Any
    ) -> Together[T, R]:
        """Work that is done together, and measured.

        Args:
            name: What it is called here.
            work: Does a batch (`Together`).
            options: Those of `Together`.
        """
        made: Together[T, R] = Together(work, self._watcher(name), **options)
        self._waiting.labels(name).set_function(lambda: made.waiting)
        return made

    def waves(self, name: str) -> Waves:
        """A way that those who come in a crowd go together, measured like what they meet at.

        Args:
            name: What it is called here.
        """
        made = Waves(self._watcher(name))
        self._waiting.labels(name).set_function(lambda: made.waiting)
        return made

    def _watcher(self, name: str) -> "WorkMetrics":
        return WorkMetrics(self._size.labels(name), self._wait.labels(name), self._refused.labels(name))


class WorkMetrics:
    """Counts one kind of work. A `Watcher`."""

    def __init__(self, size: Histogram, wait: Histogram, refused: Counter) -> None:
        self._size = size
        self._wait = wait
        self._refused = refused

    def begun(self, waits: Sequence[float]) -> None:
        """A batch begins."""
        self._size.observe(len(waits))
        # The longest stands for all of them: one observation a part would cost more than the batch saves.
        self._wait.observe(max(waits))

    def refused(self) -> None:
        """One was turned away."""
        self._refused.inc()
