"""Logs: a constant event ("session.ended") with ids; JSON in production, readable in development; never a secret."""

import logging
import re
import sys
from collections.abc import Mapping
from typing import Any, Final, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

REDACTED: Final = "[redacted]"

_SECRET_NAMES: Final = re.compile(
    r"passw|secret|token|cookie|authorization|credential|private|api_?key|encryption_?key|\b(otp|code|pin|proof)\b",
    re.IGNORECASE,
)
# Names that contain one of those words and hold an id, a count or a kind.
_PLAIN_NAMES: Final = re.compile(r"_(id|ids|count|type|time|state|kind|name|sha256)$", re.IGNORECASE)
_SECRET_VALUES: Final = (
    # JWS and JWE: parts of base64url, of which the first is a JSON object.
    re.compile(r"\bey[A-Za-z0-9_-]{6,}(?:\.[A-Za-z0-9_-]*){2,4}"),
    # Password hashes: Argus's own, and those that were made elsewhere.
    re.compile(r"\$(?:argon2[a-z]*|2[abxy]|bcrypt[a-z0-9-]*|scrypt|pbkdf2[a-z0-9-]*)\$[^\s\"']+"),
    re.compile(r"\b(?:pbkdf2|scrypt|bcrypt)[a-z0-9_:]*\$[^\s\"']+"),
    # 256 random bits, as client secrets and device tokens are; a key's thumbprint looks the same and is public.
    re.compile(r"(?<![A-Za-z0-9_/-])(?<!kid=)[A-Za-z0-9_-]{43}(?![A-Za-z0-9_-])"),
    # Passwords in the addresses of stores.
    re.compile(r"(?<=://)[^/\s@]*:[^/\s@]+(?=@)"),
)
_THUMBPRINT_NAMES: Final = frozenset({"kid", "key_id", "jkt"})


class Redaction:
    """A processor that takes secrets out of log lines: by the name of a value, and by its shape."""

    def __init__(self, *, enabled: bool = True) -> None:
        """Makes the processor.

        Args:
            enabled: False only in the test that shows that the search for leaked secrets would find one.
        """
        self._enabled = enabled

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        """Redacts one line."""
        if not self._enabled:
            return event
        return {name: self._clean(name, value) for name, value in event.items()}

    def _clean(self, name: str, value: Any) -> Any:
        if value is None or isinstance(value, bool | int | float):
            return value
        if _SECRET_NAMES.search(name) and not _PLAIN_NAMES.search(name):
            return REDACTED
        if isinstance(value, Mapping):
            return {key: self._clean(str(key), item) for key, item in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self._clean(name, item) for item in value]
        if isinstance(value, bytes | bytearray):
            return f"[{len(value)} bytes]"
        return value if name in _THUMBPRINT_NAMES else redact_text(value if isinstance(value, str) else str(value))


def redact_text(text: str) -> str:
    """Takes what has the shape of a secret out of a text."""
    for pattern in _SECRET_VALUES:
        text = pattern.sub(REDACTED, text)
    return text


def configure_logging(*, json: bool, level: str = "info", redact: bool = True, stream: TextIO | None = None) -> None:
    """Sends Argus's log lines and those of its libraries to one place, in one form.

    Args:
        json: One JSON object a line; else readable text.
        level: Least level that is logged.
        redact: False only in the test that shows that the search for leaked secrets would find one.
        stream: Where to; standard error if not given.
    """
    target = stream or sys.stderr
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    # Locals of a traceback hold whatever a function was given.
    traceback: Processor = structlog.processors.format_exc_info
    renderer: Processor = (
        structlog.processors.JSONRenderer()
        if json
        else structlog.dev.ConsoleRenderer(colors=target.isatty(), exception_formatter=structlog.dev.plain_traceback)
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*shared, structlog.stdlib.PositionalArgumentsFormatter()],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            traceback,
            Redaction(enabled=redact),
            renderer,
        ],
    )
    handler = logging.StreamHandler(target)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
