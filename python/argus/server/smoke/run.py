"""Runs the walk and reports it, a line a step."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import grpc

from argus.base.ids import new_secret
from argus.server.private_stack import private_stack
from argus.server.smoke import bound, endings, rotation, sign_in
from argus.server.smoke.walk import DifferenceError, Walk


@dataclass(frozen=True, slots=True, kw_only=True)
class StepResult:
    """How a step went."""

    number: int
    name: str
    is_as_expected: bool
    outcome: str
    milliseconds: int


async def run_smoke(report: Callable[[StepResult], None]) -> bool:
    """Starts a private stack, walks through the main job, and stops it.

    Args:
        report: Told every step's outcome as soon as it is known.

    Returns:
        Whether every step went as it must; the walk ends at the first that did not.
    """
    steps = (*sign_in.STEPS, *rotation.STEPS, *bound.STEPS, *endings.STEPS)
    async with private_stack() as stack, stack.fresh_tenant() as api:
        walk = Walk(stack=stack, api=api, password=new_secret())
        for number, (name, step) in enumerate(steps, start=1):
            started = time.perf_counter()
            is_as_expected, outcome = True, ""
            try:
                outcome = await step(walk)
            except (DifferenceError, grpc.aio.AioRpcError) as error:
                is_as_expected = False
                outcome = f"{error.code().name}: {error.details()}" if isinstance(error, grpc.RpcError) else str(error)
            milliseconds = round((time.perf_counter() - started) * 1000)
            report(
                StepResult(
                    number=number,
                    name=name,
                    is_as_expected=is_as_expected,
                    outcome=outcome,
                    milliseconds=milliseconds,
                )
            )
            if not is_as_expected:
                return False
    return True
