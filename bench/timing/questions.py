"""Mails asked for by users that exist and by ones that don't, over gRPC, each timed."""

import secrets
import time
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass

from argus.server.api import Api
from argus.v1 import account_service_pb2 as accounts
from argus.v1 import types_pb2 as types
from bench.timing.guesses import Kind, addresses, new_identifier


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """How long each question took, in ms."""

    kind: Kind
    start_recovery: float
    start_registration: float
    start_verification: float


async def ask_in_pairs(api: Api, identifiers: list[str]) -> AsyncIterator[tuple[Asked, Asked]]:
    """Asks once for each of these users, next to one that doesn't exist, in random order.

    Args:
        api: Client of their tenant; may say what address a user has.
        identifiers: Users that nobody has asked for.
    """
    networks, coin = addresses(), secrets.SystemRandom()
    for identifier in identifiers:
        kinds: list[tuple[Kind, str]] = [("known", identifier), ("unknown", new_identifier())]
        coin.shuffle(kinds)
        first, second = [await _ask(api, kind, who, next(networks)) for kind, who in kinds]
        yield first, second


async def _ask(api: Api, kind: Kind, identifier: str, address: str) -> Asked:
    context = types.ClientContext(ip_address=address)
    recovery = accounts.StartRecoveryRequest(parent=api.parent, identifier=identifier, client_context=context)
    registration = accounts.StartRegistrationRequest(parent=api.parent, email=identifier, client_context=context)
    verification = accounts.StartVerificationRequest(parent=api.parent, email=identifier, client_context=context)
    await api.token()  # so that none is fetched while the clock runs
    return Asked(
        kind=kind,
        start_recovery=await _timed(api.accounts.StartRecovery(recovery)),
        start_registration=await _timed(api.accounts.StartRegistration(registration)),
        start_verification=await _timed(api.accounts.StartVerification(verification)),
    )


async def _timed(call: Awaitable[object]) -> float:
    before = time.perf_counter()
    await call
    return (time.perf_counter() - before) * 1000
