"""Makes the reference pages in `docs/reference` from the protos, the event catalogue and the settings.

Run it from the root of the repository in the project's environment:

    .venv/bin/python tools/generate/reference.py

What it writes is committed; `--check` writes nothing and fails when a committed page is not what it would write.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet, MethodDescriptorProto

from argus.base.events import EVENT_TYPES
from argus.base.policy import RULES
from argus.base.settings import PolicySettings, Settings
from argus.base.settings_sources import variable
from argus.policies.presets import PRESETS
from argus.policies.schema import json_schema
from argus.v1 import options_pb2

ROOT = Path(__file__).resolve().parents[2]
TARGET = ROOT / "docs" / "reference"
BUF = Path(sys.executable).with_name("buf")

# Field numbers inside FileDescriptorProto, EnumDescriptorProto and ServiceDescriptorProto, by which source locations
# are addressed.
FILE_ENUM, FILE_SERVICE, ENUM_VALUE, SERVICE_METHOD = 5, 6, 2, 2


def descriptors() -> list[FileDescriptorProto]:
    """The public protos with their comments."""
    image = subprocess.run(
        [str(BUF), "build", str(ROOT / "proto"), "--as-file-descriptor-set", "-o", "-"], check=True, capture_output=True
    ).stdout
    files = FileDescriptorSet.FromString(image).file
    return sorted((file for file in files if file.package == "argus.v1"), key=lambda file: file.name)


def comments(file: FileDescriptorProto) -> dict[tuple[int, ...], str]:
    """Leading comments by their path in the file."""
    return {
        tuple(location.path): location.leading_comments.strip()
        for location in file.source_code_info.location
        if location.leading_comments
    }


def rpcs() -> Iterator[str]:
    """The page of services and their RPCs."""
    yield "# RPCs\n\nWhat each one does, and the scope that its caller needs.\n"
    for file in descriptors():
        said = comments(file)
        for number, service in enumerate(file.service):
            yield f"\n## {service.name}\n\n{flat(said[FILE_SERVICE, number])}\n\n| RPC | scope | |\n|---|---|---|\n"
            for place, method in enumerate(service.method):
                text = flat(said[FILE_SERVICE, number, SERVICE_METHOD, place])
                yield f"| {method.name} | {scope(method)} | {text} |\n"


def scope(method: MethodDescriptorProto) -> str:
    """The access rule of an RPC, in words."""
    rule = method.options.Extensions[options_pb2.access]
    if rule.anonymous:
        return "none: it authenticates by its request"
    return f"`{rule.scope}`" + (", system tenant only" if rule.system_tenant_only else "")


def reasons() -> Iterator[str]:
    """The page of error reasons."""
    yield '# Reasons\n\nEvery `google.rpc.ErrorInfo.reason` of domain "argus".\n\n'
    yield "| reason | code and meaning |\n|---|---|\n"
    for file in descriptors():
        said = comments(file)
        for number, enum in enumerate(file.enum_type):
            if enum.name != "ErrorReason":
                continue
            for place, value in enumerate(enum.value[1:], start=1):
                name = value.name.removeprefix("ERROR_REASON_")
                yield f"| `{name}` | {flat(said[FILE_ENUM, number, ENUM_VALUE, place])} |\n"


def events() -> Iterator[str]:
    """The page of audit events."""
    yield "# Events\n\nEvery type of row in the audit table.\n\n| type | meaning |\n|---|---|\n"
    for name, meaning in sorted(EVENT_TYPES.items()):
        yield f"| `{name}` | {meaning} |\n"


def settings() -> Iterator[str]:
    """The page of settings."""
    yield "# Settings\n\n"
    yield "A value comes from the first of: a flag, the environment variable, a file named by the variable with\n"
    yield "`_FILE` at its end, `argus.toml`, the default. `argus config show` says which it was.\n\n"
    yield "| variable | in `argus.toml` | default | meaning |\n|---|---|---|---|\n"
    defaults = Settings().model_dump(mode="json")
    defaults |= {f"policy.{name}": value for name, value in defaults["policy"].items()}
    for path in Settings.paths():
        group, _, name = path.rpartition(".")
        field = (PolicySettings if group else Settings).model_fields[name]
        default = "" if defaults[path] in (None, "") else f"`{json.dumps(defaults[path])}`".replace('"', "")
        yield f"| `{variable(path)}` | `{path}` | {default} | {flat(field.description or '')} |\n"


def policy() -> Iterator[str]:
    """The page of a policy's fields and of presets."""
    yield "# Policies\n\nWhat a document may set ([policy.schema.json](policy.schema.json) is for editors). Times are\n"
    yield "whole seconds. The most specific scope wins, field by field; of several groups the strictest value.\n\n"
    yield "| field | default | may be | stricter | meaning |\n|---|---|---|---|---|\n"
    for key, rule in RULES.items():
        default = rule.show(rule.write(rule.default))
        yield f"| `{key}` | {default} | {flat(rule.range_text)} | {rule.order_text} | {flat(rule.text)} |\n"
    yield "\n## Presets\n\nWhat each demands, and where it stands; *: the framework gives no number, it is our own.\n"
    yield "\n| preset | field | loosest value | clause |\n|---|---|---|---|\n"
    for name, demands in PRESETS.items():
        for demand in demands:
            shown = RULES[demand.key].show(demand.value) + ("*" if demand.is_ours else "")
            yield f"| {name} | `{demand.key}` | {shown} | {flat(demand.clause)} |\n"


def policy_schema() -> Iterator[str]:
    """The JSON Schema of a policy document."""
    yield json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


def flat(text: str) -> str:
    """A comment as one line of a table."""
    return " ".join(text.split()).replace("|", "\\|")


PAGES = {
    "rpcs.md": rpcs,
    "reasons.md": reasons,
    "events.md": events,
    "settings.md": settings,
    "policy.md": policy,
    "policy.schema.json": policy_schema,
}


def main() -> None:
    """Writes the pages, or compares them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing, fail on a difference")
    check = parser.parse_args().check
    made = {TARGET / name: "".join(page()) for name, page in PAGES.items()}
    differing = [path for path, text in made.items() if not path.exists() or path.read_text() != text]
    if check and differing:
        names = ", ".join(str(path.relative_to(ROOT)) for path in differing)
        sys.exit(f"not what the sources say: {names}; run `make generate`.")
    TARGET.mkdir(parents=True, exist_ok=True)
    for path in differing:
        path.write_text(made[path])


if __name__ == "__main__":
    main()
