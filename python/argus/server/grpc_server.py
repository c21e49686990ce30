"""The gRPC listener: services behind the interceptor, health, and reflection where it is wanted."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from argus._core import Engine
from argus.flows.snapshot import Snapshot
from argus.rpc.entitled import Subscriptions
from argus.rpc.handlers import HotAnswers, method_paths, service_handler
from argus.rpc.health_service import HealthServicer
from argus.rpc.interceptors import CallInterceptor
from argus.rpc.metrics import RpcMetrics
from argus.rpc.services import all_services
from argus.server.tls import Tls

# A batch of 100 tokens of 8 KiB with their contexts fits.
_LARGEST_MESSAGE: Final = 2 * 1024 * 1024
_OPTIONS: Final = (
    ("grpc.max_receive_message_length", _LARGEST_MESSAGE),
    ("grpc.max_send_message_length", 2 * _LARGEST_MESSAGE),
    # A port that another process has is an error, not a second half of the traffic.
    ("grpc.so_reuseport", 0),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
)
# All callers share one connection; the door has its own bounds.
_BEHIND_DOOR: Final = (
    ("grpc.max_metadata_size", 128 * 1024),
    ("grpc.absolute_max_metadata_size", 256 * 1024),
    ("grpc.max_concurrent_streams", 100_000),
    # What one caller sends must not be remembered for another: a header that cannot be read would stay in the table.
    ("grpc.http2.hpack_table_size.decoder", 0),
    ("grpc.server.max_pending_requests", 20_000),
    ("grpc.server.max_pending_requests_hard_limit", 40_000),
)
_ABLE_ALONE: Final = "argus.v1.TokenService"


@dataclass(frozen=True, slots=True, kw_only=True)
class GrpcParts:
    """What the gRPC server is made of."""

    engine: Engine
    snapshot: Snapshot
    plans: Subscriptions
    hot: HotAnswers
    servicers: Mapping[str, object]
    """By the full name of the service."""
    metrics: RpcMetrics
    digest_key: bytes
    longest_request: timedelta
    most_calls: int
    has_reflection: bool
    is_behind_door: bool
    """It listens on a unix socket that only the front door reaches."""


def grpc_options(*, is_behind_door: bool) -> Sequence[tuple[str, int]]:
    """Options of a gRPC server.

    Args:
        is_behind_door: It listens on a unix socket that only the front door reaches.
    """
    return (*_OPTIONS, *_BEHIND_DOOR) if is_behind_door else _OPTIONS


class ServicerMissingError(Exception):
    """A service of the API has no servicer: the server must not start."""


class GrpcServer:
    """A gRPC server that tells the truth about its health."""

    def __init__(self, parts: GrpcParts) -> None:
        """Registers everything; nothing listens yet.

        Raises:
            ServicerMissingError: A service of the API would not be served.
            AccessRuleMissingError: An RPC does not say who may call it.
            EntitlementMissingError: An RPC is not in the table of what is sold.
        """
        services = all_services()
        if missing := services.keys() - parts.servicers.keys():
            raise ServicerMissingError(f"nothing serves {', '.join(sorted(missing))}")
        interceptor = CallInterceptor(
            metrics=parts.metrics,
            longest=parts.longest_request,
            most_calls=parts.most_calls,
            digest_key=parts.digest_key,
            known_methods=method_paths(services.values()),
            is_behind_door=parts.is_behind_door,
        )
        options = grpc_options(is_behind_door=parts.is_behind_door)
        self._server: grpc.aio.Server = grpc.aio.server(interceptors=(interceptor,), options=options)
        self._server.add_generic_rpc_handlers(
            tuple(
                service_handler(
                    service,
                    parts.servicers[name],
                    engine=parts.engine,
                    snapshot=parts.snapshot,
                    plans=parts.plans,
                    hot=parts.hot,
                )
                for name, service in services.items()
            )
        )
        self._services = tuple(services)
        self._health = HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        if parts.has_reflection:
            named = (*services, health_pb2.DESCRIPTOR.services_by_name["Health"].full_name)
            reflection.enable_server_reflection((*named, reflection.SERVICE_NAME), self._server)

    async def start(self, address: str, tls: Tls | None) -> int:
        """Listens and serves; returns the port, which is of use where `address` asks for any."""
        if tls is None:
            port = self._server.add_insecure_port(address)
        else:
            port = self._server.add_secure_port(address, tls.grpc_credentials())
        await self._server.start()
        return int(port)

    def report(self, faults: Collection[str]) -> None:
        """Tells health checks what `faults` (of the readiness check) keep from being served.

        Tokens are verified and refreshed without PostgreSQL; nothing works without the rest.
        """
        is_able = not set(faults) - {"postgresql"}
        for service in ("", *self._services):
            serves = is_able and (service in ("", _ABLE_ALONE) or not faults)
            state = health_pb2.HealthCheckResponse.SERVING if serves else health_pb2.HealthCheckResponse.NOT_SERVING
            self._health.set(service, state)

    def refuse(self) -> None:
        """Says NOT_SERVING from now on, and goes on serving."""
        self._health.refuse()

    def end_watches(self) -> None:
        """Ends the streams of health checks, which would go on for ever."""
        self._health.end_watches()

    async def stop(self, grace: timedelta) -> None:
        """Takes no new calls and lets those under way finish, for `grace` at most."""
        await self._server.stop(grace.total_seconds())
