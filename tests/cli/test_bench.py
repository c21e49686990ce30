"""`argus bench hot` from its beginning to its end, on servers of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path


def test_it_verifies_and_refreshes_and_says_what_that_costs(tmp_path: Path) -> None:
    words = ["bench", "hot", "--rounds", "1", "--calls", "40", "--sessions", "12", "--rate", "100", "--json"]
    done = subprocess.run(
        [sys.executable, "-c", "from argus.cli.main import main; main()", *words],
        env={"PATH": os.defpath, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    ((name, turns),) = json.loads(done.stdout).items()
    assert name == "argus, RS256 + EdDSA"
    assert {what: turn["calls"] for what, turn in turns.items()} == {
        "verify, 32 in flight": 40,
        "verify, 1 in flight": 4,
        "verify, 100 a second": 20,
        "refresh, 32 in flight": 12,
    }
    for turn in turns.values():
        assert turn["cpu_us"].keys() == {"server", "redis", "postgresql", "client"}
        assert turn["cpu_us"]["server"] > 0
        assert 0 < turn["latency_us"]["p50"] <= turn["latency_us"]["p99"] <= turn["latency_us"]["p100"]
    assert not list(tmp_path.iterdir())
