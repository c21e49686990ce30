"""Runs Argus: everything up in order, and down in the opposite one without dropping a call."""

import asyncio
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
from argus.server.app import Argus, open_argus
from argus.server.background import Background
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A server that serves."""

    argus: Argus
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
        metrics.watch(argus.engine, argus.rebuild.metrics.collectors)
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
        await stack.enter_async_context(background)
        stack.push_async_callback(listeners.stop)
        await listeners.start()
        yield Running(
            argus=argus,
            grpc_address=listeners.grpc_address,
            http_url=listeners.http_url,
            admin_url=listeners.admin_url,
            metrics=metrics,
        )


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
        self._readiness = readiness
        self._grpc = GrpcServer(
            GrpcParts(
                engine=argus.engine,
                hot=argus.hot,
                servicers=make_servicers(argus),
                metrics=metrics.rpc,
                digest_key=argus.digest_key,
                longest_request=settings.request_deadline,
                most_calls=_MOST_CALLS,
                has_reflection=not settings.production,
            )
        )
        self._grpc_tls = Tls.of(settings.grpc_tls_certificate, settings.grpc_tls_key)
        http_tls = Tls.of(settings.http_tls_certificate, settings.http_tls_key)
        issuers = Issuers(key_sets=argus.engine.jwks, issuer_of=argus.tenants.issuer)
        public = public_app(readiness=readiness, issuers=issuers, key_set_max_age=settings.key_set_max_age)
        self._http = HttpServer(public, settings.http_listen, http_tls)
        admin = admin_app(readiness=readiness, registry=metrics.registry)
        self._admin = HttpServer(admin, settings.admin_listen, http_tls)
        self._scheme = "https" if http_tls else "http"
        self._grpc_port = 0

    async def start(self) -> None:
        """Listens and serves; health is told before the first call can ask."""
        await self.report_health()
        self._grpc_port = await self._grpc.start(self._settings.grpc_listen, self._grpc_tls)
        await self._http.start()
        await self._admin.start()

    async def report_health(self) -> None:
        """Tells gRPC health checks how things are."""
        await self._grpc.report(await self._readiness())

    async def stop(self) -> None:
        """NOT_SERVING, then nothing new, then the end of what is under way."""
        self._readiness.is_stopping = True
        await self._grpc.refuse()
        grace = self._settings.drain_time
        if self._settings.production:
            # Load balancers need a moment to see it; calls are served meanwhile.
            grace /= 2
            await asyncio.sleep(grace.total_seconds())
        await self._grpc.stop(grace)
        await asyncio.gather(self._http.stop(grace), self._admin.stop(grace))

    @property
    def grpc_address(self) -> str:
        """Host and port."""
        return _address(self._settings.grpc_listen, self._grpc_port)

    @property
    def http_url(self) -> str:
        """Where the HTTP edge listens."""
        return f"{self._scheme}://{_address(self._settings.http_listen, self._http.port)}"

    @property
    def admin_url(self) -> str:
        """Where the admin listener listens."""
        return f"{self._scheme}://{_address(self._settings.admin_listen, self._admin.port)}"


def _address(listen: str, port: int) -> str:
    host, _ = split_address(listen)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
