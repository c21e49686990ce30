"""What all tests share: real stores, a whole server, a clock that moves."""

import faulthandler
import os
import signal
import sys
from collections.abc import AsyncIterator, Generator, Iterator
from types import FrameType
from typing import TYPE_CHECKING, Final

import pytest
from pydantic import SecretStr

from argus.base.logging import configure_logging
from argus.server.private_stack import stack_over
from argus.storage.embedded import EmbeddedStores, StoreUrls
from tests.support.mails import MailServer, mail_server
from tests.support.side_by_side import FileByFile
from tests.support.stack import Stack
from tests.support.wire import Wire

if TYPE_CHECKING:
    from xdist.remote import Producer

_TIDYING_SECONDS: Final = 40.0
_GRACE_SECONDS: Final = 90.0
_ERRORS: Final = pytest.StashKey[int]()


def pytest_configure(config: pytest.Config) -> None:
    """Keeps where errors go, which pytest catches while a test runs."""
    config.stash[_ERRORS] = os.dup(sys.stderr.fileno())


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: "Producer") -> FileByFile:
    """Side by side, file by file."""
    return FileByFile(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """A test that outlives its time by far ends its process, and tells where it was.

    The signal of pytest-timeout is an exception, which an event loop may catch and only log. With files side by side
    (JOBS) the test that ended its process is told by name, and the others go on.
    """
    marker = item.get_closest_marker("timeout")
    seconds = float(marker.args[0] if marker else item.config.getini("timeout"))
    faulthandler.dump_traceback_later(seconds + _GRACE_SECONDS, exit=True, file=item.config.stash[_ERRORS])
    try:
        return (yield)
    finally:
        faulthandler.cancel_dump_traceback_later()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown() -> Generator[None, object, object]:
    """What a test leaves behind has a time of its own: pytest-timeout stops its clock when a test fails."""

    def give_up(_number: int, _frame: FrameType | None) -> None:
        pytest.fail(f"tidying up took more than {_TIDYING_SECONDS:.0f} s")

    before = signal.signal(signal.SIGALRM, give_up)
    left, _ = signal.setitimer(signal.ITIMER_REAL, _TIDYING_SECONDS)
    try:
        return (yield)
    finally:
        signal.setitimer(signal.ITIMER_REAL, left)
        signal.signal(signal.SIGALRM, before)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Tells of a failure at once: a run that is cut short says what it knew."""
    if report.failed and "PYTEST_XDIST_WORKER" not in os.environ:
        reason = getattr(getattr(report.longrepr, "reprcrash", None), "message", "").split("\n", 1)[0]
        sys.stderr.write(f"\nfailed: {report.nodeid} ({report.when}, {report.duration:.0f} s) {reason:.200}\n")


@pytest.fixture(scope="session", autouse=True)
def product_logging() -> None:
    """Logs as the product does; left alone, structlog shows the locals of every frame of a trace."""
    configure_logging(json=False)


@pytest.fixture(scope="session")
def embedded_stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStores]:
    """Valkey and PostgreSQL of this run."""
    with EmbeddedStores(tmp_path_factory.mktemp("stores")) as stores:
        yield stores
        stores.delete()


@pytest.fixture(scope="session")
def stores(embedded_stores: EmbeddedStores) -> StoreUrls:
    """Where the stores of this run answer."""
    return embedded_stores.urls


@pytest.fixture(scope="session")
async def mails() -> AsyncIterator[MailServer]:
    """The mail server that `stack` hands its mails to."""
    async with mail_server() as server:
        yield server


@pytest.fixture(scope="session")
async def stack(stores: StoreUrls, mails: MailServer) -> AsyncIterator[Stack]:
    """A server on free ports over the stores of this run, with a clock that moves: `stack.advance(timedelta(…))`.

    Tests share it; each makes a tenant of its own.
    """
    mail_url = SecretStr(f"smtp+plain://127.0.0.1:{mails.port}")
    # Endpoints of tests are on this machine.
    async with stack_over(
        stores, mail_url=mail_url, mail_from="accounts@argus.example", webhook_allowed_networks="127.0.0.0/8"
    ) as private:
        stack = Stack(private)
        yield stack
        await stack.close()


@pytest.fixture(scope="session")
def wire(stack: Stack) -> Wire:
    """A channel without stubs to the server."""
    return stack.wire
