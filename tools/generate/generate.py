"""Makes the Python stubs of `proto/` in `python/argus/v1` and `python/argus/internal/v1`.

Run it from the root of the repository:

    uv run --project tools/generate --frozen python tools/generate/generate.py

What it writes is committed; `--check` writes nothing and fails when the committed stubs are not what it would write.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import grpc_tools
from grpc_tools import protoc

ROOT = Path(__file__).resolve().parents[2]
PROTOS = ROOT / "proto"
TARGET = ROOT / "python"

PACKAGES: Mapping[str, str] = {
    "argus/v1": "Stubs of the public API `argus.v1`, generated from `proto/argus/v1`.",
    "argus/internal": "What the Python and the Rust half of one release say to each other.",
    "argus/internal/v1": "Messages between Python and the Rust engine, generated from `proto/argus/internal/v1`.",
}


def generate() -> dict[str, bytes]:
    """Runs protoc; returns the text of every generated file by its path under `python/`."""
    sources = sorted(path.relative_to(PROTOS).as_posix() for path in PROTOS.rglob("*.proto"))
    services = [source for source in sources if "\nservice " in (PROTOS / source).read_text()]
    with tempfile.TemporaryDirectory() as folder:
        run(sources, f"--python_out={folder}", f"--mypy_out=quiet:{folder}")
        run(services, f"--grpc_python_out={folder}", f"--mypy_grpc_out=quiet:{folder}")
        made = {
            path.relative_to(folder).as_posix(): path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()
        }
    for package, docstring in PACKAGES.items():
        made[f"{package}/__init__.py"] = f'"""{docstring}"""\n'.encode()
    return made


def run(sources: list[str], *outputs: str) -> None:
    """Runs protoc over some files; ends the program when it fails."""
    well_known = Path(grpc_tools.__file__).parent / "_proto"
    plugins = Path(sys.executable).parent
    arguments = [
        "protoc",
        f"-I{PROTOS}",
        f"-I{well_known}",
        f"--plugin=protoc-gen-mypy={plugins / 'protoc-gen-mypy'}",
        f"--plugin=protoc-gen-mypy_grpc={plugins / 'protoc-gen-mypy_grpc'}",
        *outputs,
        *sources,
    ]
    if protoc.main(arguments) != 0:
        sys.exit("protoc failed; its messages above name the file and line.")


def committed() -> dict[str, bytes]:
    """What stands in the stub folders now."""
    return {
        path.relative_to(TARGET).as_posix(): path.read_bytes()
        for package in PACKAGES
        for pattern in ("*.py", "*.pyi")
        for path in (TARGET / package).glob(pattern)
    }


def main() -> None:
    """Writes the stubs, or compares them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing, fail on a difference")
    check = parser.parse_args().check
    made, present = generate(), committed()
    differing = sorted(name for name in made.keys() | present.keys() if made.get(name) != present.get(name))
    if check:
        if differing:
            sys.exit("not what proto/ says: " + ", ".join(differing) + "; run `make generate`.")
        return
    for name in differing:
        path = TARGET / name
        if name not in made:
            path.unlink()
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(made[name])
    print(f"{len(made)} files, {len(differing)} of them changed")


if __name__ == "__main__":
    main()
