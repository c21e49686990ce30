"""Runs Argus: everything up in order, and down in the opposite one without dropping a call."""

import asyncio
import gc
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import structlog

from argus.base.clock import Clock
from argus.base.listen import split_address
from argus.base.settings import Settings
from argus.base.stopping import within
from argus.server.app import Argus, open_argus
from argus.server.background import Background
from argus.server.browser import browser_edge
from argus.server.front_door import BehindTheDoor, FrontDoor
from argus.server.grpc_server import GrpcParts, GrpcServer
from argus.server.http_server import HttpServer
from argus.server.loops import add_loops
from argus.server.metrics import ProcessMetrics
from argus.server.readiness import ReadinessCheck
from argus.server.servicers import make_servicers
from argus.server.tls import Tls
from argus.web.app import admin_app, public_app
from argus.web.issuers import Issuers

log = structlog.get_logger(__name__)

_MOST_CALLS: Final = 1000
_HEALTH_INTERVAL: Final = timedelta(seconds=1)
# What a listener may take once it has cut its calls off.
_BEYOND_GRACE: Final = timedelta(seconds=5)
_CERTIFICATE_INTERVAL: Final = timedelta(seconds=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A server that serves.

    Attributes:
        background: What it does beside the calls.
    """

    argus: Argus
    background: Background
    grpc_address: str
    http_url: str
    admin_url: str
    metrics: ProcessMetrics


@asynccontextmanager
async def running(settings: Settings, *, clock: Clock) -> AsyncIterator[Running]:
    """Serves inside the block.

    Leaving it says NOT_SERVING first, lets calls under way finish, then stops the loops, and writes what is queued.
    """
    metrics = ProcessMetrics()
    async with AsyncExitStack() as stack:
        argus = await stack.enter_async_context(open_argus(settings, clock=clock))
        others = (
            *argus.rebuild.metrics.collectors,
            *argus.revocations.collectors,
            *argus.db.metrics.collectors,
        )
        metrics.watch(argus.engine, argus.refusals, argus.snapshot, others)
        metrics.watch_primary(argus.primary, argus.lease)
        readiness = ReadinessCheck(
            db=argus.db,
            redis=argus.redis,
            engine=argus.engine,
            primary=argus.primary,
            lease=argus.lease,
            snapshot=argus.snapshot,
            clock=clock,
        )
        listeners = _Listeners(settings, argus, metrics, readiness)
        background = Background(failures=metrics.background_failures)
        add_loops(background, argus)
        background.every("health", _HEALTH_INTERVAL, listeners.report_health)
        background.every("certificates", _CERTIFICATE_INTERVAL, listeners.reload_certificates)
        await stack.enter_async_context(background)
        stack.push_async_callback(listeners.stop)
        await listeners.start()
        yield Running(
            argus=argus,
            background=background,
            grpc_address=listeners.grpc_address,
            http_url=listeners.http_url,
            admin_url=listeners.admin_url,
            metrics=metrics,
        )


def _keep_what_is_there() -> None:
    """Leaves modules, descriptors and all else that lives as long as the process out of garbage collections.

    To look through them takes some 80 ms, in which nothing else is done.
    """
    gc.collect()
    gc.freeze()


async def serve(
    settings: Settings, *, clock: Clock | None = None, on_ready: Callable[[Running], Awaitable[None]] | None = None
) -> None:
    """Serves until SIGINT or SIGTERM.

    Args:
        settings: All settings.
        clock: The time; the system's by default.
        on_ready: Awaited once everything is served.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for one in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(one, stop.set)
    async with running(settings, clock=clock or Clock()) as server:
        _keep_what_is_there()
        log.info("server.started", grpc=server.grpc_address, http=server.http_url, admin=server.admin_url)
        if on_ready is not None:
            await on_ready(server)
        await stop.wait()
        log.info("server.stopping")
    log.info("server.stopped")


class _Listeners:
    """The three listeners of a process."""

    def __init__(self, settings: Settings, argus: Argus, metrics: ProcessMetrics, readiness: ReadinessCheck) -> None:
        self._settings = settings
        self._metrics = metrics
        self._readiness = readiness
        self._grpc = GrpcServer(
            GrpcParts(
                engine=argus.engine,
                snapshot=argus.snapshot,
                plans=argus.plans,
                hot=argus.hot,
                servicers=make_servicers(argus),
                metrics=metrics.rpc,
                digest_key=argus.digest_key,
                longest_request=settings.request_deadline,
                most_calls=_MOST_CALLS,
                has_reflection=not settings.production,
                is_behind_door=settings.front_door == "on",
            )
        )
        self._engine = argus.engine
        self._revocations = argus.revocations
        self._behind = BehindTheDoor() if settings.front_door == "on" else None
        self._door: FrontDoor | None = None
        self._grpc_tls = Tls.of(settings.grpc_tls_certificate, settings.grpc_tls_key)
        http_tls = Tls.of(settings.http_tls_certificate, settings.http_tls_key)
        issuers = Issuers(key_sets=argus.engine.jwks, issuer_of=argus.tenants.issuer)
        public = public_app(
            readiness=readiness,
            issuers=issuers,
            key_set_max_age=settings.key_set_max_age,
            browser=browser_edge(argus, issuers),
            is_https=settings.base_url.startswith("https:"),
        )
        self._http = (
            HttpServer(public, settings.http_listen, http_tls)
            if self._behind is None
            else HttpServer(public, self._behind.http, None)
        )
        admin = admin_app(readiness=readiness, registry=metrics.registry)
        self._admin = HttpServer(admin, settings.admin_listen, http_tls)
        self._scheme = "https" if http_tls else "http"
        self._grpc_port = 0

    async def start(self) -> None:
        """Listens and serves; health is told before the first call can ask."""
        await self.report_health()
        if self._behind is None:
            self._grpc_port = await self._grpc.start(self._settings.grpc_listen, self._grpc_tls)
        else:
            await self._grpc.start(f"unix:{self._behind.grpc}", None)
        await self._http.start()
        await self._admin.start()
        if self._behind is not None:
            self._door = await FrontDoor.open(self._engine, self._settings, self._behind)
            self._metrics.watch_doors(self._door)

    async def report_health(self) -> None:
        """Tells gRPC health checks how things are."""
        self._grpc.report(await self._readiness())

    async def reload_certificates(self) -> None:
        """Shows certificates that have changed in their files."""
        if self._door is not None:
            await self._door.reload_certificates()

    async def stop(self) -> None:
        """NOT_SERVING, then nothing new, then the end of what is under way."""
        self._readiness.is_stopping = True
        self._grpc.refuse()
        grace = self._settings.drain_time
        if self._settings.production:
            # Load balancers need a moment to see it; calls are served meanwhile.
            grace /= 2
            await asyncio.sleep(grace.total_seconds())
        # They would go on for ever. Not sooner: whoever is sent away comes back at once, until it has another server.
        self._grpc.end_watches()
        self._revocations.stop()
        # One grace for all of them: calls that came through the door are calls of the servers behind it.
        end = asyncio.get_running_loop().time() + grace.total_seconds()
        if self._door is not None:
            await self._end("door", self._door.close, end)
        await asyncio.gather(self._end("grpc", self._grpc.stop, end), self._end("http", self._http.stop, end))
        await self._end("admin", self._admin.stop, end)
        if self._behind is not None:
            self._behind.remove()

    @staticmethod
    async def _end(part: str, stop: Callable[[timedelta], Awaitable[None]], end: float) -> None:
        """Stops a listener, with what is left of the grace; it is not waited for much longer than that."""
        grace = timedelta(seconds=max(0.0, end - asyncio.get_running_loop().time()))
        await within(grace + _BEYOND_GRACE, part, stop(grace))

    @property
    def grpc_address(self) -> str:
        """Host and port."""
        port = self._grpc_port if self._door is None else self._door.grpc_port
        return _address(self._settings.grpc_listen, port)

    @property
    def http_url(self) -> str:
        """Where the HTTP edge listens."""
        port = self._http.port if self._door is None else self._door.http_port
        return f"{self._scheme}://{_address(self._settings.http_listen, port)}"

    @property
    def admin_url(self) -> str:
        """Where the admin listener listens."""
        return f"{self._scheme}://{_address(self._settings.admin_listen, self._admin.port)}"


def _address(listen: str, port: int) -> str:
    host, _ = split_address(listen)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
