"""PostgreSQL is killed, hangs, or has no room left."""

import contextlib
from typing import Final

import psycopg

from drills.scene import Drill, Scene


async def _killed(scene: Scene) -> None:
    postgresql = scene.world.postgresql
    scene.breaks()
    postgresql.kill()
    await scene.hold()
    postgresql.launch()
    await postgresql.answering()
    scene.recovers()


async def _paused(scene: Scene) -> None:
    scene.breaks()
    scene.world.postgresql.pause()
    await scene.hold()
    scene.world.postgresql.resume()
    scene.recovers()


async def _onto_small_disk(scene: Scene) -> None:
    await scene.world.postgresql.move_to_small_disk()


async def _disk_full(scene: Scene) -> None:
    postgresql = scene.world.postgresql
    is_hard = scene.rng.random() < 1 / 2
    scene.facts["log_switched"] = str(is_hard)
    scene.breaks()
    postgresql.fill_disk()
    if is_hard:
        # The next segment of the log has no room: PostgreSQL panics, and can't recover either.
        for _ in range(8):
            with contextlib.suppress(psycopg.Error):
                await postgresql.execute("SELECT pg_switch_wal()")
    await scene.hold()
    postgresql.free_disk()
    if not postgresql.process.running:
        postgresql.launch()
    await postgresql.answering()
    scene.recovers()


async def _free(scene: Scene) -> None:
    scene.world.postgresql.free_disk()


DRILLS: Final = (
    Drill(
        name="postgresql.killed", claim="PostgreSQL is killed with all its processes, and started again.", act=_killed
    ),
    Drill(name="postgresql.paused", claim="PostgreSQL hangs for a while, with its connections open.", act=_paused),
    Drill(
        name="postgresql.disk_full",
        claim="PostgreSQL's disk is full; in half of the runs for its log, too, so that it panics.",
        act=_disk_full,
        prepare=_onto_small_disk,
        clean_up=_free,
        needs_small_disk=True,
    ),
)
