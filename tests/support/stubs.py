"""Clients of the API in Go, Java and Node.js, with stubs made of `proto/`; and the tools grpcurl and ghz."""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.support.toolchains import CLIENTS, ROOT, alone, build, copied, get, program, workplace

PROTO: Final = ROOT / "proto"
_API: Final = PROTO / "argus" / "v1"
_BUF: Final = Path(sys.executable).with_name("buf")
_MODULE: Final = "argus.test/go_stubs"
# As Maven Central names protoc and its plug-in.
_PLATFORMS: Final = {"x86_64": "linux-x86_64", "aarch64": "linux-aarch_64"}

Command = Sequence[str | Path]


@alone
def go_tool(name: str) -> Path:
    """Builds a tool of the module that pins it: grpcurl, protoc-gen-go, protoc-gen-go-grpc; or ghz, which has its own.

    Raises:
        AbsentError: There is no Go, or no way to get its modules.
    """
    module = name if (CLIENTS / name).exists() else "go_tools"
    go, folder, source = program("go"), workplace(module), CLIENTS / module
    if not (folder / name).exists():
        get(go, "mod", "download", cwd=source)
        build(go, "build", "-mod=readonly", "-o", f"{folder}/", "tool", cwd=source)
    return folder / name


@alone
def go() -> Command:
    """Stubs of protoc-gen-go and protoc-gen-go-grpc.

    Raises:
        AbsentError: There is no Go, or no way to get its modules.
    """
    compiler, folder = program("go"), workplace("go_stubs", _API)
    if not (folder / "job").exists():
        copied("go_stubs", folder)
        get(compiler, "mod", "download", cwd=folder)
        plugins = [
            {"local": str(go_tool(name)), "out": ".", "opt": "paths=source_relative"}
            for name in ("protoc-gen-go", "protoc-gen-go-grpc")
        ]
        managed = {"enabled": True, "override": [{"file_option": "go_package_prefix", "value": _MODULE}]}
        template = json.dumps({"version": "v2", "managed": managed, "plugins": plugins})
        build(_BUF, "generate", PROTO, "--template", template, "--path", _API, "-o", ".", cwd=folder)
        build(compiler, "build", "-mod=readonly", "-o", "job", ".", cwd=folder)
    return [folder / "job"]


@alone
def node() -> Command:
    """Stubs that @grpc/proto-loader makes at run time.

    Raises:
        AbsentError: There is no Node.js, or no way to get its packages.
    """
    interpreter, npm, folder = program("node"), program("npm"), workplace("node_stubs")
    if not (folder / "node_modules" / "@grpc").exists():
        copied("node_stubs", folder)
        get(npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", cwd=folder)
    return [interpreter, folder / "main.mjs"]


def described(folder: Path) -> Path:
    """The API as a file, for tools that don't ask the server what it has."""
    file = folder / "api.binpb"
    build(_BUF, "build", PROTO, "-o", file, cwd=folder)
    return file


@alone
def java() -> Command:
    """Stubs of protoc and grpc-java, by Maven.

    Raises:
        AbsentError: There is no JDK, no Maven, or no way to get what it needs.
    """
    machine, maven = program("java"), program("mvn")
    program("javac")
    folder = workplace("java_stubs", _API)
    if not (folder / "target" / "built").exists():
        copied("java_stubs", folder)
        settings = (f"-Dproto={PROTO}", f"-Dplatform={_PLATFORMS.get(platform.machine(), 'none')}")
        # "Could not resolve", "Unable to resolve" …
        build(maven, "-q", "-B", *settings, "compile", cwd=folder, absent=" resolve")
        (folder / "target" / "built").touch()
    return [machine, "-cp", f"{folder}/target/classes:{folder}/target/dependency/*", "test.Main"]
