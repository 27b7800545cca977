"""Logging, set up in one place: fixed event names and fields, text from outside escaped and cut."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, WrappedLogger

from monitor.web.text import one_line

_collecting: ContextVar[list[str] | None] = ContextVar("collecting", default=None)


def configure_logs(*, json: bool, level: int = logging.INFO, stream: TextIO = sys.stderr) -> None:
    """Send every event to `stream`: JSON lines, or coloured text where it is a terminal."""
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if json
        else structlog.dev.ConsoleRenderer(colors=stream.isatty(), pad_event_to=24, sort_keys=False)
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *([structlog.processors.format_exc_info] if json else []),
            escape_outside_text,
            _collect,
            _drop_below(level),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG),
        logger_factory=structlog.WriteLoggerFactory(file=stream),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(level=logging.WARNING, stream=stream, format="%(name)s: %(message)s")


@contextmanager
def collected() -> Iterator[list[str]]:
    """The log lines, of every level, that are written inside, as `event key=value …`."""
    lines: list[str] = []
    token = _collecting.set(lines)
    try:
        yield lines
    finally:
        _collecting.reset(token)


def escape_outside_text(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    """Escape control and bidirectional characters in every text field, and cut it."""
    return {key: _escaped(value) for key, value in event.items()}


def _escaped(value: Any) -> Any:
    if isinstance(value, str):
        # Tracebacks keep their lines.
        return value if value.startswith("Traceback") else one_line(value)
    if isinstance(value, list | tuple):
        return [_escaped(item) for item in value]
    return value


def _collect(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    lines = _collecting.get()
    if lines is not None:
        fields = " ".join(
            f"{key}={value}"
            for key, value in event.items()
            if key not in {"event", "level", "timestamp", "exc_info"}
        )
        lines.append(f"{event['level']} {event['event']} {fields}".rstrip())
    return event


def _drop_below(level: int) -> Any:
    names = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING}

    def processor(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
        if names.get(event["level"], logging.ERROR) < level:
            raise structlog.DropEvent
        return event

    return processor
