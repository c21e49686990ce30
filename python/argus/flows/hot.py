"""Answers the hot RPCs: the engine does, and what it can't do alone is done here before it is asked again."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from google.rpc import error_details_pb2, status_pb2

from argus._core import Engine
from argus.base.errors import ArgusError, UnavailableError
from argus.base.ids import new_id
from argus.flows.activity import Effects
from argus.flows.contexts import Contexts
from argus.flows.governing import Governing
from argus.flows.rebuild import Rebuild
from argus.flows.snapshot import Snapshot
from argus.internal.v1.engine_pb2 import FlowNeed, NeedsFlow
from argus.sessions.errors import TokenInvalidError
from argus.storage.redis import Redis
from argus.v1 import errors_pb2, token_service_pb2

_VERIFY: Final = "/argus.v1.TokenService/VerifyAccessToken"
_BATCH: Final = "/argus.v1.TokenService/BatchVerifyAccessTokens"
_INTROSPECT: Final = "/argus.v1.TokenService/IntrospectToken"
_ROUNDS: Final = 4
_THREADS: Final = 8
_ANSWER: Final = 0
_STATUS: Final = 1
_NEED: Final = 2


class HotCalls:
    """Verify, refresh and introspect: bytes in, bytes out."""

    def __init__(
        self,
        engine: Engine,
        redis: Redis,
        rebuild: Rebuild,
        effects: Effects,
        snapshot: Snapshot,
        contexts: Contexts,
        governing: Governing,
    ) -> None:
        self._contexts = contexts
        self._governing = governing
        self._engine = engine
        self._redis = redis
        self._rebuild = rebuild
        self._effects = effects
        self._snapshot = snapshot
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="argus-engine")

    async def answer(
        self,
        method: str,
        request: bytes,
        *,
        authorization: str | None,
        request_id: str,
        deadline_ms: int,
        call_id: str = "",
        need: bytes = b"",
    ) -> tuple[int, bytes]:
        """Answers one of `argus._core.HOT_METHODS`.

        Args:
            method: Full name of the method.
            request: Encoded request.
            authorization: Metadata `authorization`.
            request_id: Request id.
            deadline_ms: Time left for the call.
            call_id: The one that the engine was asked with already; empty: it was not asked yet.
            need: What it needed then: an encoded `NeedsFlow`.

        Returns:
            (0, encoded response) or (1, encoded google.rpc.Status).

        Raises:
            UnavailableError: What the answer needs is away.
            TokenInvalidError: The token's session does not exist.
            ContextChangedError: It is used in another context, and the policy asks for a new proof there.
            SessionEndedError: It is used in another context, and the policy ends it.
        """
        call = _Call(method, authorization, request_id, deadline_ms, call_id or new_id())
        return await self._answer(call, request, (_NEED, need) if need else None)

    async def verify_for(
        self, request: bytes, *, scope: str, authorization: str | None, request_id: str, deadline_ms: int
    ) -> tuple[int, bytes]:
        """Verifies an access token for the caller of another RPC, by whose scope it may, and to whom it was charged.

        Args:
            request: Encoded `VerifyAccessTokenRequest`.
            scope: Scope of the RPC that was called.
            authorization: Metadata `authorization`.
            request_id: Request id.
            deadline_ms: Time left for the call.

        Returns:
            (0, encoded VerifyAccessTokenResponse) or (1, encoded google.rpc.Status).

        Raises:
            UnavailableError: What the answer needs is away.
            TokenInvalidError: The token's session does not exist.
            ContextChangedError: It is used in another context, and the policy asks for a new proof there.
            SessionEndedError: It is used in another context, and the policy ends it.
        """
        call = _Call(_VERIFY, authorization, request_id, deadline_ms, new_id(), scope=scope)
        call.is_repeat = True
        return await self._answer(call, request)

    def close(self) -> None:
        """Ends the threads; calls under way are finished, and those that wait for a thread given up."""
        self._threads.shutdown(cancel_futures=True)

    async def _answer(self, call: "_Call", request: bytes, asked: tuple[int, bytes] | None = None) -> tuple[int, bytes]:
        for _ in range(_ROUNDS):
            kind, content = asked or await self._ask(call, request)
            asked = None
            if kind in (_ANSWER, _STATUS):
                return kind, content
            need = NeedsFlow.FromString(content)
            # Until the snapshot is confirmed, neither the caller nor the request was looked at.
            if call.method == _BATCH and need.need != FlowNeed.FLOW_NEED_SNAPSHOT:
                return _ANSWER, await self._one_by_one(call, request)
            if need.need == FlowNeed.FLOW_NEED_RECORD_VERDICT:
                return await self._record(need)
            try:
                await self._meet(need)
                call.met(need.need)
            except TokenInvalidError:
                if call.method == _INTROSPECT:
                    return _ANSWER, token_service_pb2.IntrospectTokenResponse(active=False).SerializeToString()
                raise
        raise UnavailableError("redis")

    async def _ask(self, call: "_Call", request: bytes) -> tuple[int, bytes]:
        asked = asyncio.get_running_loop().run_in_executor(
            self._threads,
            lambda: self._engine.answer(
                call.method,
                request,
                authorization=call.authorization,
                request_id=call.request_id,
                deadline_ms=call.deadline_ms,
                postgresql_answers=call.postgresql_answers,
                snapshot_confirmed=call.snapshot_confirmed,
                context_judged=call.context_judged,
                rules_judged=call.rules_judged,
                is_repeat=call.is_repeat,
                call_id=call.call_id,
                scope=call.scope,
            ),
        )
        try:
            return await asyncio.shield(asked)
        except asyncio.CancelledError:
            asked.add_done_callback(self._keep)
            raise

    def _keep(self, asked: "asyncio.Future[tuple[int, bytes]]") -> None:
        """The caller has gone meanwhile: what Redis has decided must be known all the same."""
        if asked.cancelled() or asked.exception() or asked.result()[0] in (_ANSWER, _STATUS):
            return
        need = NeedsFlow.FromString(asked.result()[1])
        if need.need == FlowNeed.FLOW_NEED_RECORD_VERDICT:
            self._effects.queue([need.effect])

    async def _meet(self, need: NeedsFlow) -> None:
        match need.need:
            case FlowNeed.FLOW_NEED_SESSION | FlowNeed.FLOW_NEED_USER | FlowNeed.FLOW_NEED_NOT_BEFORE:
                # Whoever lost one has lost the others as well: a call has only a few rounds.
                if need.session_id:
                    await self._rebuild.session(need.tenant_id, need.user_id, need.session_id)
                elif need.user_id:
                    await self._rebuild.user(need.tenant_id, need.user_id)
                await self._rebuild.not_before(need.tenant_id, need.client_id)
            case FlowNeed.FLOW_NEED_FAMILY:
                await self._rebuild.session(need.tenant_id, need.user_id, need.session_id, has_newer_family=True)
            case FlowNeed.FLOW_NEED_POSTGRESQL:
                await self._effects.prove()
            case FlowNeed.FLOW_NEED_FUNCTIONS:
                await self._redis.load_functions()
            case FlowNeed.FLOW_NEED_CONTEXT:
                await self._contexts.judge(need)
            case FlowNeed.FLOW_NEED_RULES:
                await self._governing.judge(need)
            case FlowNeed.FLOW_NEED_SNAPSHOT:
                await self._snapshot.confirm()
            case _:
                raise UnavailableError("engine")

    async def _record(self, need: NeedsFlow) -> tuple[int, bytes]:
        """Writes a verdict to PostgreSQL before its answer is given."""
        status = status_pb2.Status.FromString(need.answer)
        try:
            await self._effects.write(need.effect)
        except UnavailableError:
            # PostgreSQL learns of it as soon as it is back. A refusal stays one; a yes must not be given before.
            self._effects.queue([need.effect])
            if status.code == 0:
                raise
        except asyncio.CancelledError:
            self._effects.queue([need.effect])
            raise
        if status.code == 0:
            return _ANSWER, status.details[0].value
        return _STATUS, need.answer

    async def _one_by_one(self, call: "_Call", request: bytes) -> bytes:
        """A batch of which some item needs a flow: each is asked for by itself, still within the one call."""
        items = token_service_pb2.BatchVerifyAccessTokensRequest.FromString(request).requests
        single = call.for_item(_VERIFY)
        results = await asyncio.gather(*(self._result(single, item.SerializeToString()) for item in items))
        return token_service_pb2.BatchVerifyAccessTokensResponse(results=results).SerializeToString()

    async def _result(self, call: "_Call", request: bytes) -> token_service_pb2.BatchVerifyAccessTokensResult:
        try:
            kind, content = await self._answer(call, request)
        except ArgusError as error:
            return token_service_pb2.BatchVerifyAccessTokensResult(
                code=int(error.code), reason=errors_pb2.ErrorReason.ValueType(error.reason), metadata=error.metadata
            )
        if kind == _ANSWER:
            verified = token_service_pb2.VerifyAccessTokenResponse.FromString(content)
            return token_service_pb2.BatchVerifyAccessTokensResult(verified=verified)
        return _refused(status_pb2.Status.FromString(content))


class _Call:
    """What all questions about one call have in common."""

    __slots__ = (
        "authorization",
        "call_id",
        "context_judged",
        "deadline_ms",
        "is_repeat",
        "method",
        "postgresql_answers",
        "request_id",
        "rules_judged",
        "scope",
        "snapshot_confirmed",
    )

    def __init__(
        self,
        method: str,
        authorization: str | None,
        request_id: str,
        deadline_ms: int,
        call_id: str,
        *,
        scope: str = "",
    ) -> None:
        self.method = method
        # Of the RPC that the caller called, where it is another one.
        self.scope = scope
        self.authorization = authorization
        self.request_id = request_id
        self.deadline_ms = deadline_ms
        self.postgresql_answers = False
        self.snapshot_confirmed = False
        self.context_judged = False
        self.rules_judged = False
        self.is_repeat = False
        # Unlike the request id, which a caller may have from anywhere, it is told to nobody.
        self.call_id = call_id

    def for_item(self, method: str) -> "_Call":
        """The part of the call that one item of a batch is."""
        part = _Call(method, self.authorization, self.request_id, self.deadline_ms, self.call_id)
        part.postgresql_answers, part.snapshot_confirmed = self.postgresql_answers, self.snapshot_confirmed
        part.is_repeat = True
        return part

    def met(self, need: FlowNeed.ValueType) -> None:
        """What the engine needed was done, after the call came."""
        self.is_repeat = True
        self.postgresql_answers |= need == FlowNeed.FLOW_NEED_POSTGRESQL
        self.context_judged |= need == FlowNeed.FLOW_NEED_CONTEXT
        self.rules_judged |= need == FlowNeed.FLOW_NEED_RULES
        self.snapshot_confirmed |= need == FlowNeed.FLOW_NEED_SNAPSHOT


def _refused(status: status_pb2.Status) -> token_service_pb2.BatchVerifyAccessTokensResult:
    result = token_service_pb2.BatchVerifyAccessTokensResult(code=status.code)
    info = error_details_pb2.ErrorInfo()
    for detail in status.details:
        if detail.Unpack(info):
            result.reason = errors_pb2.ErrorReason.Value(f"ERROR_REASON_{info.reason}")
            result.metadata.update(info.metadata)
    return result
