"""Measures on a private stack, prints a verdict, and ends with 1 if known and unknown users could be told apart."""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import httpx
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from argus.accounts.model import RequestKind
from argus.accounts.service import AccountRequests
from argus.base.logging import configure_logging
from argus.base.settings_policy import PolicySettings
from argus.credentials.model import PasswordCheck
from argus.credentials.service import Passwords
from argus.flows.factors import PasswordFactor
from argus.server.app import Argus
from argus.server.private_stack import private_stack
from argus.storage.postgres import Transaction
from argus.users.service import Users
from bench.rows import Row, rows_table, write_results
from bench.timing.browsers import Browsed, browse_in_pairs
from bench.timing.guesses import Timed, create_users, guess_in_pairs
from bench.timing.questions import Asked, ask_in_pairs
from bench.timing.verdict import MIN_PAIRS, Comparison
from tests.support.browsers import Browser
from tests.support.stack import Stack

# Guesses whose times don't count: statements get prepared, connections opened, code paths warm.
_WARM_UP_PAIRS = 50


class WithoutDummyWork:
    """Passwords as a careless server checks them: where there is no user, there is nothing to do."""

    def __init__(self, passwords: Passwords) -> None:
        self._passwords = passwords

    async def check(self, tenant_id: str, user_id: str | None, password: str, *, identifier: str) -> PasswordCheck:
        """Answers at once for a user that doesn't exist."""
        if user_id is None:
            return PasswordCheck(ok=False)
        return await self._passwords.check(tenant_id, user_id, password, identifier=identifier)

    def __getattr__(self, name: str) -> Any:
        """Everything else is as it was."""
        return getattr(self._passwords, name)


class WithoutDummyRequests:
    """Requests as a careless server takes them: for an address of nobody's there is nothing to send."""

    def __init__(self, requests: AccountRequests, users: Users) -> None:
        self._requests = requests
        self._users = users

    async def add(self, tx: Transaction, kind: RequestKind, identifier: str, **rest: Any) -> None:
        """Keeps what was asked for, if it concerns anybody."""
        if await self._users.find_by_identifier(rest["origin"].tenant_id, identifier) is not None:
            await self._requests.add(tx, kind, identifier, **rest)


def main() -> int:
    """Runs the benchmark; 0 if every goal was met."""
    parser = argparse.ArgumentParser(prog="python -m bench.timing", description=__doc__)
    parser.add_argument("--pairs", type=int, default=MIN_PAIRS, help="guesses at known users (and at unknown ones)")
    parser.add_argument(
        "--without-dummy-work",
        action="store_true",
        help="take the work for unknown users out, in this process alone: the verdict must then be red",
    )
    options = parser.parse_args()
    configure_logging(json=False, level="error")
    comparisons = asyncio.run(_measure(options.pairs, without_dummy_work=options.without_dummy_work))
    rows = [row for one in comparisons for row in one.rows()]
    name = "timing_without_dummy_work" if options.without_dummy_work else "timing"
    path = write_results(name, rows, {one.rpc: one.measured() for one in comparisons})
    is_met = all(row.met for row in rows)
    _show(comparisons, rows, is_met=is_met)
    Console(highlight=False).print(f"written to {path}")
    return 0 if is_met else 1


async def _measure(pairs: int, *, without_dummy_work: bool) -> list[Comparison]:
    times: list[Timed] = []
    asked: list[Asked] = []
    browsed: list[Browsed] = []
    with tempfile.TemporaryDirectory(prefix="argus-mails-") as folder:
        settings = {
            "mail_folder": Path(folder),
            "policy": PolicySettings(self_registration=True),
            # So that every browser comes from a network of its own.
            "http_proxies": "127.0.0.0/8",
        }
        async with private_stack(**settings) as stack, stack.fresh_tenant() as api, httpx.AsyncClient() as http:
            if without_dummy_work:
                _take_out_dummy_work(stack.server.argus)
            with _progress() as progress:
                number = pairs + _WARM_UP_PAIRS
                creating = progress.add_task("creating users", total=2 * number)
                created = await create_users(api, 2 * number, created=lambda: progress.advance(creating))
                identifiers, others = created[:number], created[number:]
                guessing = progress.add_task("guessing in pairs", total=number)
                async for pair in guess_in_pairs(api, identifiers):
                    times.extend(pair)
                    progress.advance(guessing)
                asking = progress.add_task("asking in pairs", total=number)
                async for questions in ask_in_pairs(api, identifiers):
                    asked.extend(questions)
                    progress.advance(asking)
                browsing = progress.add_task("browsing in pairs", total=number)
                browser = Browser(Stack(stack), api.tenant_id, http=http)
                url = f"{stack.server.http_url}/t/{api.tenant_id}"
                async for seen in browse_in_pairs(browser, url, others):
                    browsed.extend(seen)
                    progress.advance(browsing)
    return [
        *_compared(times, "submit_factor", "start_login"),
        *_compared(asked, "start_recovery", "start_registration", "start_verification"),
        *_compared(browsed, "http_sign_in", "http_factor", "page_sign_in"),
    ]


def _compared(times: Sequence[Timed | Asked | Browsed], *rpcs: str) -> list[Comparison]:
    counted = times[2 * _WARM_UP_PAIRS :]
    known = [one for one in counted if one.kind == "known"]
    unknown = [one for one in counted if one.kind == "unknown"]
    return [
        Comparison(rpc=rpc, known=[getattr(one, rpc) for one in known], unknown=[getattr(one, rpc) for one in unknown])
        for rpc in rpcs
    ]


def _take_out_dummy_work(argus: Argus) -> None:
    factor = cast("PasswordFactor", argus.kinds.factors.of("password"))
    factor._passwords = WithoutDummyWork(argus.passwords)  # type: ignore[assignment]  # noqa: SLF001
    asking = argus.accounts.asking
    asking._requests = WithoutDummyRequests(asking._requests, argus.users)  # type: ignore[assignment]  # noqa: SLF001


def _progress() -> Progress:
    columns = (TextColumn("{task.description:<18}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True))


def _show(comparisons: list[Comparison], rows: list[Row], *, is_met: bool) -> None:
    console = Console(highlight=False)
    for one in comparisons:
        known, unknown = one.measured()["known_ms"], one.measured()["unknown_ms"]
        console.print(f"{one.rpc}, ms: known {known}, unknown {unknown}", soft_wrap=True)
    console.print(rows_table(rows))
    console.print(
        "Known and unknown users can't be told apart by time."
        if is_met
        else "[red]Known and unknown users CAN be told apart by time, or too few were measured.[/]"
    )


if __name__ == "__main__":
    sys.exit(main())
