"""Where settings come from, and in which order."""

import os
import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Final

PREFIX: Final = "ARGUS_"
NESTED: Final = "__"
# Read by the command line, and no settings.
_COMMAND_LINE: Final = ("CONFIG", "TENANT")


class SettingsError(Exception):
    """Settings that Argus does not start with; each problem says what to set."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def variable(path: str) -> str:
    """The environment variable of a setting ("policy.idle" → "ARGUS_POLICY__IDLE")."""
    return PREFIX + path.replace(".", NESTED).upper()


def gather(
    paths: list[str], flags: Mapping[str, Any], environ: Mapping[str, str], config: Path | None
) -> tuple[dict[str, Any], dict[str, str]]:
    """Collects every setting's value from the first source that has it.

    Args:
        paths: All settings, as "redis_url" or "policy.idle".
        flags: Values of the command line, by path; None means not given.
        environ: The environment.
        config: The `argus.toml` to read, if any.

    Returns:
        Values by path, and by path where each came from.

    Raises:
        SettingsError: A file can't be read, or holds what is no setting.
    """
    written = _read_config(config, set(paths)) if config else {}
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for path in paths:
        name = variable(path)
        if flags.get(path) is not None:
            values[path], sources[path] = flags[path], "flag"
        elif name in environ:
            values[path], sources[path] = environ[name], f"environment {name}"
        elif f"{name}_FILE" in environ:
            file = Path(environ[f"{name}_FILE"])
            values[path], sources[path] = _read_value(name, file), f"file {file} ({name}_FILE)"
        elif path in written:
            values[path], sources[path] = written[path], f"file {config}"
        else:
            sources[path] = "default"
    return values, sources


def unknown_variables(paths: list[str], environ: Mapping[str, str]) -> list[str]:
    """`ARGUS_*` variables that are no setting: misspelt ones, most likely."""
    known = {f"{PREFIX}{name}" for name in _COMMAND_LINE}.union(
        *({variable(path), f"{variable(path)}_FILE"} for path in paths)
    )
    return sorted(name for name in environ if name.startswith(PREFIX) and name not in known)


def find_config(explicit: Path | None, environ: Mapping[str, str] = os.environ) -> Path | None:
    """The settings file: the one asked for, else `ARGUS_CONFIG`, else `argus.toml` here if there is one."""
    if explicit is not None:
        return explicit
    if f"{PREFIX}CONFIG" in environ:
        return Path(environ[f"{PREFIX}CONFIG"])
    here = Path("argus.toml")
    return here if here.is_file() else None


def _read_value(name: str, file: Path) -> str:
    try:
        return file.read_text("utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError([f"{name}_FILE: {file} can't be read ({type(error).__name__})"]) from None


def _read_config(config: Path, known: set[str]) -> dict[str, Any]:
    try:
        tree = tomllib.loads(config.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError([f"{config} can't be read ({type(error).__name__})"]) from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError([f"{config}: {error}"]) from None
    flat = _flatten(tree, known)
    if unknown := sorted(flat.keys() - known):
        raise SettingsError([f"{config}: {name} is no setting (argus config show lists them)" for name in unknown])
    return flat


def _flatten(tree: Mapping[str, Any], known: Collection[str], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        path = prefix + key
        is_group = isinstance(value, dict) and path not in known
        flat |= _flatten(value, known, f"{path}.") if is_group else {path: value}
    return flat
