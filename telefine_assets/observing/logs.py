"""Structured logs: what Python's logging is told, with whom it is about, for people or as JSON.

structlog renders what the standard library's loggers are given, so that nobody has to log
otherwise. What a run or a request is about is bound once, in context variables, and stands in every
line that is written within it.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    import structlog

    from telefine_assets.observing.masking import Masker
    from telefine_assets.settings.observing import ObservingSettings

CONTEXT = ("run_id", "program", "stage", "partition", "sensor", "request_id")
"""What may be bound. A line has what applies."""
EXTRA = ("method", "route", "status", "seconds", "outcome")
"""What single lines have beside that."""
_NAME = "telefine"


class _Line(logging.Formatter):
    """structlog's rendering of a record, without secrets."""

    def __init__(self, inner: logging.Formatter, masker: Masker) -> None:
        super().__init__()
        self._inner, self._masker = inner, masker

    def format(self, record: logging.LogRecord) -> str:
        return self._masker(self._inner.format(record))


def log_to(stream: TextIO, settings: ObservingSettings, masker: Masker, loggers: tuple[str, ...] = ("",)) -> None:
    """Have these loggers (by default all) write to ``stream``; called again, it replaces what it set.

    Args:
        stream: where lines go, such as standard error.
        settings: format and level.
        masker: hides secrets, in messages and tracebacks alike.
        loggers: names of loggers, ``""`` for the root; they hand nothing on to others.
    """
    handler = logging.StreamHandler(stream)
    handler.set_name(_NAME)
    handler.setFormatter(_Line(_formatter(settings, stream.isatty()), masker))
    for name in loggers:
        logger = logging.getLogger(name)
        logger.handlers = [*(each for each in logger.handlers if each.get_name() != _NAME), handler]
        # Other people's libraries say much that helps nobody here.
        logger.setLevel(settings.log_level if name else logging.WARNING)
        logger.propagate = False


def log_run(settings: ObservingSettings, masker: Masker) -> None:
    """Set up the logs of a process that Dagster started: where JSON is wanted, Telefine's own lines are JSON.

    Dagster's lines stay as they are, here and in its event log.
    """
    if settings.log_format == "json":
        log_to(sys.stderr, settings, masker, (_NAME,))


@contextmanager
def about(**context: str | None) -> Iterator[None]:
    """Every line that is written in the block says what it is about (see ``CONTEXT``)."""
    from structlog.contextvars import bound_contextvars

    with bound_contextvars(**{name: each for name, each in context.items() if each is not None}):
        yield


def _formatter(settings: ObservingSettings, colours: bool) -> structlog.stdlib.ProcessorFormatter:
    # Loads rich too: no process that only imports the definitions waits for that.
    import structlog

    as_json = settings.log_format == "json"
    # Without the local variables that structlog's own tracebacks have: those may be prompts.
    plainly = structlog.dev.plain_traceback
    render: list[Any] = [structlog.dev.ConsoleRenderer(colors=colours, exception_formatter=plainly)]
    if as_json:
        render = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(sort_keys=True, default=str)]
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.add_log_level,
            structlog.stdlib.ExtraAdder(EXTRA),
            structlog.processors.TimeStamper(fmt="iso", utc=True),
        ],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *render],
    )
