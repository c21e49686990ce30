"""Logging that is put back afterwards: it belongs to the process, and tests share one."""

import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from argus.base.logging import configure_logging


@contextmanager
def kept_logging() -> Iterator[None]:
    """Whatever the block makes of logging is undone."""
    root, before = logging.getLogger(), structlog.get_config()
    handlers, level = root.handlers[:], root.level
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        structlog.configure(**before)


@contextmanager
def captured_logs(*, redact: bool) -> Iterator[io.StringIO]:
    """All log lines of the block at the lowest level, Argus's and its libraries'."""
    stream = io.StringIO()
    with kept_logging():
        configure_logging(json=True, level="debug", redact=redact, stream=stream)
        yield stream
