"""Measures what honest callers notice while others do harm; ends with 1 if a goal was missed."""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final, TypeAlias

from rich.console import Console
from rich.progress import track

from argus.base.clock import Clock
from argus.base.cpu import cpu_seconds, machine_cpu_seconds
from argus.base.ids import new_id
from argus.base.limits import LONGEST_ACCESS_LIFE
from argus.base.logging import configure_logging
from argus.base.origin import Origin
from argus.policies.model import Scope
from argus.server.api import Api
from argus.server.app import Argus
from argus.server.private_stack import stack_over
from argus.server.served import Served
from argus.storage.embedded import EmbeddedStores
from argus.v1 import session_service_pb2 as sessions
from argus.v1 import token_service_pb2 as tokens
from bench.abuse.attacks import ATTACKS, COLD, HOT, Target
from bench.abuse.honest import CALLS, Caller, Seen, listen, watched
from bench.rows import Row, rows_table, write_results
from tests.support.people import new_person
from tests.support.tls import certificates

RATIO: Final = 3.0
GROWTH_MIB: Final = 256
OTHERS: Final = 0.1
_SETTLE_SECONDS: Final = 1.0


def main() -> int:
    """Runs the benchmark; 0 if every goal was met."""
    parser = argparse.ArgumentParser(prog="python -m bench.abuse", description=__doc__)
    parser.add_argument("--only", action="append", choices=ATTACKS, help="this attack alone; may be given often")
    parser.add_argument("--seconds", type=float, default=15.0, help="how long each attack lasts")
    parser.add_argument("--no-file", action="store_true", help="write no result file")
    options = parser.parse_args()
    configure_logging(json=False, level="error")
    names = options.only or list(ATTACKS)
    with tempfile.TemporaryDirectory(prefix="argus-") as folder, EmbeddedStores(Path(folder) / "stores") as stores:
        measured = asyncio.run(_measure(stores, Path(folder), names, options.seconds))
    rows = _rows(measured)
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 160)
    console.print(rows_table(rows))
    if not options.no_file:
        console.print(f"written to {write_results('abuse', rows, measured)}")
    return 0 if all(row.met is not False for row in rows) else 1


async def _measure(stores: EmbeddedStores, folder: Path, names: Sequence[str], seconds: float) -> dict[str, Any]:
    measured: dict[str, Any] = {"seconds": seconds, "calls_a_second": dict(CALLS), "attacks": {}}
    async with _servers(stores, folder) as ((served, target), (beside, elsewhere), caller):
        await listen(caller, seconds / 3)  # for warmth
        ours = (os.getpid(), served.pid, beside.pid, stores.valkey.pid, stores.postgresql.pid)
        quiet, others = [await listen(caller, seconds)], _Others(ours)
        for name in track(names, "attacks"):
            async with watched(served.pid) as memory, _attacker(name, target, seconds + 2) as attacker:
                with _spent(served.pid) as under_attack:
                    seen = await listen(caller, seconds)
            await asyncio.sleep(_SETTLE_SECONDS)
            async with _attacker(name, elsewhere, seconds + 2):
                spared = await listen(caller, seconds)
            await asyncio.sleep(_SETTLE_SECONDS)
            with others.counted(), _spent(served.pid) as in_quiet:
                quiet.append(await listen(caller, seconds))
            measured["attacks"][name] = {
                "what": ATTACKS[name].what,
                "connections": ATTACKS[name].lines,
                "quiet": _told(_middle(quiet[-2:])),
                "under_attack": _told(seen),
                "attack_elsewhere": _told(spared),
                "rss_mib": memory.told(),
                "server_cpu": {"quiet": in_quiet["share"], "under_attack": under_attack["share"]},
                "attacker": attacker,
            }
    measured["machine_used_by_others"] = others.share
    return measured


class _Others:
    """Share of the machine that went to other processes in the quiet times; the largest."""

    def __init__(self, ours: Sequence[int]) -> None:
        self.share = 0.0
        self._ours = ours

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Counts for the time of the block."""

        def elsewhere() -> float:
            return machine_cpu_seconds() - sum(cpu_seconds(pid) for pid in self._ours)

        begun, spent = time.monotonic(), elsewhere()
        yield
        share = (elsewhere() - spent) / (time.monotonic() - begun) / (os.cpu_count() or 1)
        self.share = max(self.share, round(share, 3))


@contextmanager
def _spent(server: int) -> Iterator[dict[str, float]]:
    """CPU time of the server for the time of the block, in processors; told at its end."""
    told: dict[str, float] = {}
    begun, before = time.monotonic(), cpu_seconds(server)
    yield told
    told["share"] = round((cpu_seconds(server) - before) / (time.monotonic() - begun), 3)


_Hit: TypeAlias = tuple[Served, Target]


@asynccontextmanager
async def _servers(stores: EmbeddedStores, folder: Path) -> AsyncIterator[tuple[_Hit, _Hit, Caller]]:
    """Two servers in processes of their own, with TLS at their HTTP port alone; and a caller of the first."""
    async with stack_over(stores.urls) as stack:
        made = await stack.new_tenant()
        await _let_tokens_live(stack.server.argus, made.tenant_id)
        signed_in = await (await new_person(made)).sign_in()
        settings = stack.settings
        await made.close()
    tls = _tls(folder)
    server, other = (Served(settings, folder / name, **tls) for name in ("server", "other"))
    with server.running() as served, other.running() as beside:
        api = made.at(served.grpc_address, clock=Clock())
        verify = tokens.VerifyAccessTokenRequest(access_token=signed_in.tokens.access_token)
        get = sessions.GetSessionRequest(name=signed_in.session.name)
        caller = Caller(
            address=served.grpc_address,
            authorization=f"Bearer {await api.token()}",
            requests={HOT: verify.SerializeToString(), COLD: get.SerializeToString()},
        )
        yield (served, _target(served, api)), (beside, _target(beside, api)), caller
        await api.close()


async def _let_tokens_live(argus: Argus, tenant_id: str) -> None:
    """Has access tokens last as long as the benchmark: a refused call would look fast."""
    scope, origin = Scope(kind="tenant", id=tenant_id), Origin(tenant_id=tenant_id, actor="bench", request_id=new_id())
    document = {"access_seconds": int(LONGEST_ACCESS_LIFE.total_seconds())}
    await argus.policies.set_document(tenant_id, scope, document, origin=origin)
    await argus.snapshot.refresh()


def _target(served: Served, api: Api) -> Target:
    encrypted = served.http_url.removeprefix("https://")
    return Target(plain=served.grpc_address, encrypted=encrypted, document=f"/t/{api.tenant_id}/.well-known/jwks.json")


def _tls(folder: Path) -> dict[str, str]:
    _, chain, key = certificates()
    (folder / "chain.pem").write_bytes(chain)
    (folder / "key.pem").write_bytes(key)
    return {"http_tls_certificate": str(folder / "chain.pem"), "http_tls_key": str(folder / "key.pem")}


@asynccontextmanager
async def _attacker(name: str, target: Target, seconds: float) -> AsyncIterator[dict[str, Any]]:
    """Attacks for the time of the block, from another process."""
    program = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.abuse.attacker", name, "--seconds", str(seconds)),
        *("--plain", target.plain, "--encrypted", target.encrypted, "--document", target.document),
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    assert program.stdout is not None  # noqa: S101  # it was asked for
    done: dict[str, Any] = {}
    try:
        await program.stdout.readline()
        yield done
        done["said"] = (await asyncio.wait_for(program.stdout.read(), 60)).decode().strip()
    finally:
        if program.returncode is None:
            program.kill()
        await program.wait()


def _middle(runs: Sequence[Seen]) -> Seen:
    """The quieter of the runs before and after: what the machine can do."""
    return min(runs, key=lambda seen: sum(one.p99_ms for one in seen.values()))


def _told(seen: Seen) -> dict[str, Any]:
    return {method.rpartition("/")[2]: one.told() for method, one in seen.items()}


def _rows(measured: Mapping[str, Any]) -> list[Row]:
    rows = []
    for name, found in measured["attacks"].items():
        for call, under in found["under_attack"].items():
            ratio = under["p99_ms"] / found["quiet"][call]["p99_ms"]
            rows.append(_row(f"p99_ratio_{name}_{call}", ratio, "× quiet", RATIO))
            beside = found["attack_elsewhere"][call]["p99_ms"] / found["quiet"][call]["p99_ms"]
            told = "× quiet, while another server of the machine is attacked"
            rows.append(
                Row(name=f"abuse_p99_elsewhere_{name}_{call}", value=round(beside, 2), unit=told, goal="-", met=None)
            )
            # One that is turned away at once would look fast.
            rows.append(_row(f"failed_{name}_{call}", under["failed"], "calls", 0))
        growth = found["rss_mib"]["peak"] - found["rss_mib"]["before"]
        rows.append(_row(f"rss_growth_{name}", growth, "MiB", GROWTH_MIB))
    others = measured["machine_used_by_others"]
    rows.append(
        Row(name="machine_used_by_others", value=round(100 * others, 1), unit="%", goal="≤ 10", met=others <= OTHERS)
    )
    return rows


def _row(name: str, value: float, unit: str, most: float) -> Row:
    return Row(name=f"abuse_{name}", value=round(value, 2), unit=unit, goal=f"≤ {most:g}", met=value <= most)


if __name__ == "__main__":
    sys.exit(main())
