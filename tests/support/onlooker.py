"""A process that verifies one token over and over by what it has in memory, and tells when the answer changes.

`python -m tests.support.onlooker` reads one JSON line and writes one for each change: what the answer is from now on,
when the first such call began, and when the last call before it did, by a clock that all processes share.
"""

import base64
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from argus import _core
from tests.support.engine import CACHES, SERVICE, Bench, refusal, verify_request

_ENOUGH: Final = 20
_ROOT: Final = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Change:
    """An answer that is another than the one before.

    Attributes:
        answer: "OK", a reason, or "NEEDS_FLOW".
        begun: When the first call that it was given to began.
        before: When the last call that another answer was given to began.
    """

    answer: str
    begun: float
    before: float


class Onlooker:
    """The process."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self.pid = process.pid

    def next(self) -> Change:
        """The next change; waits for it."""
        output: IO[str] = self._process.stdout  # type: ignore[assignment]
        line = output.readline()
        assert line, "the onlooker has ended"
        return Change(**json.loads(line))

    def until(self, answer: str) -> Change:
        """The next change to this answer."""
        while (change := self.next()).answer != answer:
            pass
        return change


@contextmanager
def onlooker(bench: Bench, token: str, *, url: str = "", timeout_ms: int = 500) -> Iterator[Onlooker]:
    """Such a process, warm.

    Args:
        bench: Whose Valkey and snapshot it goes by.
        token: What it verifies.
        url: Way to the Valkey, if it is another one.
        timeout_ms: Longest wait for an answer of Redis.
    """
    facts = {
        "url": url or bench.valkey.url,
        "timeout_ms": timeout_ms,
        "snapshot": base64.b64encode(bench.snapshot.SerializeToString()).decode(),
        "bearer": bench.bearer,
        "request": base64.b64encode(verify_request(token).SerializeToString()).decode(),
    }
    process = subprocess.Popen(
        [sys.executable, "-m", __name__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=_ROOT
    )  # fmt: skip
    try:
        assert process.stdin is not None
        process.stdin.write(json.dumps(facts) + "\n")
        process.stdin.flush()
        one = Onlooker(process)
        assert one.next().answer == "WARM"
        yield one
    finally:
        process.kill()
        process.communicate()


def main() -> None:
    """Verifies until it is killed."""
    facts = json.loads(sys.stdin.readline())
    engine = _core.Engine(redis_url=facts["url"], clock=_core.Clock(), redis_timeout_ms=facts["timeout_ms"], **CACHES)
    engine.load(base64.b64decode(facts["snapshot"]))
    request, bearer = base64.b64decode(facts["request"]), f"Bearer {facts['bearer']}"

    def ask() -> str:
        kind, content = engine.answer(
            SERVICE + "VerifyAccessToken", request, authorization=bearer, request_id="", deadline_ms=10_000
        )
        return refusal(content).reason if kind == 1 else "OK" if kind == 0 else "NEEDS_FLOW"

    while engine.counters()["cache_hits{cache=states}"] < _ENOUGH:
        ask()
    last, before, now = "", 0.0, time.monotonic()
    _tell("WARM", now, before)
    while os.getppid() != 1:
        begun = time.monotonic()
        answer = ask()
        if answer != last:
            _tell(answer, begun, before)
        last, before = answer, begun


def _tell(answer: str, begun: float, before: float) -> None:
    line: dict[str, Any] = {"answer": answer, "begun": begun, "before": before}
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
