"""The commands that bring data: `argus geo` and `argus patch`, by files; registries are left alone."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.vectors import data_path, vector_path


def argus(folder: Path, *words: str, path: str = os.defpath) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from argus.cli.main import main; main()", *words],
        env={"PATH": path, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "ARGUS_DATA_DIR": str(folder)},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def told(folder: Path, *words: str) -> Any:
    done = argus(folder, *words, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_database_is_installed_with_its_credit_and_asked(tmp_path: Path) -> None:
    assert told(tmp_path, "geo", "show") == {"folder": str(tmp_path / "geo"), "files": [], "credits": []}
    city = str(vector_path("geo/GeoLite2-City-Test.mmdb"))
    done = argus(tmp_path, "geo", "install", "--from", city, "--credit", "Places by Example")
    assert done.returncode == 0, done.stderr
    ranges = tmp_path / "ours.txt"
    ranges.write_text("2.125.160.0/24 hosting\n")
    assert argus(tmp_path, "geo", "install", "--from", str(ranges)).returncode == 0
    assert told(tmp_path, "geo", "show")["credits"] == ["Places by Example"]
    assert told(tmp_path, "geo", "show", "2.125.160.216") == {
        "country": "GB",
        "city": "Boxford",
        "radius_km": 150,
        "asn": None,
        "asn_name": None,
        "network_class": "hosting",
    }
    assert argus(tmp_path, "geo", "show", "192.0.2.1").stdout.strip() == "unknown"


@pytest.mark.parametrize(("name", "content"), [("a.mmdb", "no database"), ("a.txt", "nonsense"), ("a.csv", "1,2")])
def test_what_no_server_could_read_is_not_installed(tmp_path: Path, name: str, content: str) -> None:
    file = tmp_path / name
    file.write_text(content)
    done = argus(tmp_path, "geo", "install", "--from", str(file))
    assert done.returncode == 1
    assert name in done.stderr
    assert not (tmp_path / "geo").exists()


def test_a_package_of_unknown_licence_is_not_asked_for(tmp_path: Path) -> None:
    done = argus(tmp_path, "geo", "install", "--package", "some-geo-data@1.0.0")
    assert done.returncode == 1
    assert "see to its licence" in done.stderr


def test_without_npm_it_is_said_what_else_there_is(tmp_path: Path) -> None:
    for words in (("geo", "install"), ("patch", "update")):
        done = argus(tmp_path, *words, path=str(tmp_path))
        assert done.returncode == 1
        assert "--from FILE" in done.stderr


def test_release_data_are_renewed_and_asked(tmp_path: Path) -> None:
    before = told(tmp_path, "patch", "show", "--os", "Windows", "--os-version", "10")
    assert before["end_of_life"] is True
    browsers = str(data_path("patch/mdn-browser-releases.json"))
    done = argus(tmp_path, "patch", "update", "--from", browsers, "--day", "2026-11-20")
    assert done.returncode == 0, done.stderr
    after = told(tmp_path, "patch", "show")
    assert (after["browsers_date"], after["systems_date"]) == ("2026-11-20", before["systems_date"])
    broken = tmp_path / "broken.json"
    broken.write_text("{}")
    assert argus(tmp_path, "patch", "update", "--from", str(broken)).returncode == 1
    assert told(tmp_path, "patch", "show") == after
