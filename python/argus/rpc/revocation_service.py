"""Serves `argus.v1.RevocationService`."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, Final

import grpc

from argus.revocations.feed import HEARTBEAT
from argus.revocations.model import PAGE, Part, Revocation, RevocationKind
from argus.revocations.service import Revocations
from argus.rpc import validate
from argus.rpc.validate import to_duration, to_timestamp
from argus.v1 import revocation_service_pb2 as pb
from argus.v1 import revocation_service_pb2_grpc, types_pb2

Context = grpc.aio.ServicerContext[Any, Any]

_MAX_RESUME_TOKEN: Final = 4096
_HEARTBEAT: Final = to_duration(HEARTBEAT)
_KINDS: Final[dict[RevocationKind, pb.RevocationKind.ValueType]] = {
    "session": pb.REVOCATION_KIND_SESSION,
    "user": pb.REVOCATION_KIND_USER,
    "client": pb.REVOCATION_KIND_CLIENT,
    "tenant": pb.REVOCATION_KIND_TENANT,
    "key": pb.REVOCATION_KIND_KEY,
}


class RevocationServicer(revocation_service_pb2_grpc.RevocationServiceServicer):
    """Serves `argus.v1.RevocationService`."""

    def __init__(self, revocations: Revocations) -> None:
        self._revocations = revocations

    async def SnapshotRevocations(
        self, request: pb.SnapshotRevocationsRequest, context: Context
    ) -> pb.SnapshotRevocationsResponse:
        """Lists what is over."""
        tenant_id = validate.tenant(request.parent, "parent")
        validate.page_size(request.page_size)
        size = min(request.page_size or PAGE, PAGE)
        page = await self._revocations.page(tenant_id, size=size, page_token=request.page_token)
        return pb.SnapshotRevocationsResponse(
            revocations=[_message(one) for one in page.revocations],
            next_page_token=page.next_page_token,
            resume_token=page.resume_token,
            state_time=to_timestamp(page.state_time),
        )

    async def WatchRevocations(
        self, request: pb.WatchRevocationsRequest, context: Context
    ) -> AsyncGenerator[pb.WatchRevocationsResponse, None]:
        """Sends what is over, then what ends from then on."""
        tenant_id = validate.tenant(request.parent, "parent")
        token = validate.text(request.resume_token, "resume_token", _MAX_RESUME_TOKEN)
        async with aclosing(self._revocations.watch(tenant_id, token)) as parts:
            async for part in parts:
                yield _response(part)


def _response(part: Part) -> pb.WatchRevocationsResponse:
    return pb.WatchRevocationsResponse(
        revocations=[_message(one) for one in part.revocations],
        resume_token=part.resume_token,
        state_time=None if part.state_time is None else to_timestamp(part.state_time),
        is_snapshot=part.is_snapshot,
        heartbeat_interval=_HEARTBEAT,
    )


def _message(revocation: Revocation) -> pb.Revocation:
    return pb.Revocation(
        kind=_KINDS[revocation.kind],
        subject=revocation.subject,
        time=to_timestamp(revocation.time),
        expire_time=to_timestamp(revocation.expire_time),
        reason=_reason(revocation.reason),
    )


def _reason(name: str) -> types_pb2.EndReason.ValueType:
    # A newer release may have written one that this one does not know.
    known = types_pb2.EndReason.DESCRIPTOR.values_by_name.get(f"END_REASON_{name}")
    return types_pb2.END_REASON_UNSPECIFIED if known is None else types_pb2.EndReason.ValueType(known.number)
