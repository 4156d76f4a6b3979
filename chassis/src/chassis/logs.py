"""JSON lines on standard output that say what happened and to which id, and never what anything contained."""

from __future__ import annotations

import asyncio
import logging
import sys
import traceback
from collections.abc import Mapping
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import orjson
import structlog
from structlog.typing import EventDict, WrappedLogger

from chassis.errors import code_of, fingerprint_of

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

LONGEST_TEXT = 200
"""Characters of a field; no id, code or address is longer."""

_LIBRARIES = ("aiokafka", "asyncio", "asyncpg", "faststream", "opentelemetry", "uvicorn")


def configure_logs(service: str, level: str) -> None:
    """Sets up structlog and the standard library's logging of this process, once at its start."""
    number = getattr(logging, level.upper())
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _Stamp(service),
            keep_safe,
            _render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.BytesLoggerFactory(sys.stdout.buffer),
        cache_logger_on_first_use=True,
    )
    root = logging.getLogger()
    root.handlers[:] = [_Library()]
    root.setLevel(logging.WARNING)
    for name in _LIBRARIES:
        library = logging.getLogger(name)
        library.handlers[:] = []
        library.propagate = True
        library.setLevel(logging.NOTSET)
    # A consumer in an outage writes the same three lines ten times a second.
    logging.getLogger("aiokafka").setLevel(logging.ERROR)
    logging.captureWarnings(True)


def logger(**context: object) -> FilteringBoundLogger:
    """A logger with ids bound; events are written noun_verb, such as `batch_committed`."""
    bound: FilteringBoundLogger = structlog.get_logger(**context)
    return bound


def describe_error(error: BaseException) -> dict[str, object]:
    """An error without its text: class, code, a fingerprint that is the same for the same failure, place, causes."""
    classes = [_class_name(each) for each in _chain(error)]
    frames = [_place(frame) for frame in traceback.extract_tb(error.__traceback__)]
    described: dict[str, object] = {
        "class": classes[0],
        "code": code_of(error),
        "fingerprint": fingerprint_of(error),
        "at": frames[-6:],
    }
    if classes[1:]:
        described["causes"] = classes[1:]
    return described


def keep_safe(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Leaves numbers, short texts and lists of them; describes errors; names the type of anything else."""
    error = event.pop("exc_info", None) or event.pop("error", None)
    if error is True:
        error = sys.exc_info()[1]
    if isinstance(error, tuple):
        error = error[1]
    safe = {name: _safe(value) for name, value in event.items()}
    if isinstance(error, BaseException):
        safe["error"] = describe_error(error)
    return safe


def report_loop_errors(_: asyncio.AbstractEventLoop, context: Mapping[str, Any]) -> None:
    """The event loop's exception handler: asyncio's own writes the repr of the exception, values and all."""
    logger().error("loop_failed", error=context.get("exception"))


class _Stamp:
    def __init__(self, service: str) -> None:
        self._service = service

    def __call__(self, _: WrappedLogger, __: str, event: EventDict) -> EventDict:
        return {"service": self._service, **event}


class _Library(logging.Handler):
    """Passes on what libraries log: the template, where it stands, numbers and classes of errors, no other value."""

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        known = record.name.split(".")[0] in _LIBRARIES
        structlog.get_logger().log(
            record.levelno,
            "library_logged",
            logger=record.name,
            # The text of a library that builds its messages itself may hold anything.
            template=record.msg.partition("\n")[0] if known and isinstance(record.msg, str) else None,
            numbers=[value for value in _args(record) if isinstance(value, int | float)],
            errors=[value for value in _args(record) if isinstance(value, BaseException)],
            at=f"{record.module}:{record.lineno}",
            **({"error": error} if error else {}),
        )


def _args(record: logging.LogRecord) -> list[object]:
    if isinstance(record.args, Mapping):
        return list(record.args.values())
    return list(record.args or ())


def _safe(value: object) -> object:
    match value:
        case None | bool() | int() | float():
            return value
        case str():
            return value if len(value) <= LONGEST_TEXT else f"{value[:LONGEST_TEXT]}…"
        case BaseException():
            return _class_name(value)
        case list() | tuple() | set() | frozenset():
            return [_safe(item) for item in value]
        case dict() if all(isinstance(name, str) and isinstance(count, int) for name, count in value.items()):
            return value
        case _:
            return f"<{type(value).__name__}>"


def _render(_: WrappedLogger, __: str, event: EventDict) -> bytes:
    return orjson.dumps(event, default=lambda value: f"<{type(value).__name__}>")


def _chain(error: BaseException) -> list[BaseException]:
    chain: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and current not in chain and len(chain) < 8:
        chain.append(current)
        if isinstance(current, BaseExceptionGroup):
            chain.extend(current.exceptions[:4])
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    return chain


def _class_name(error: BaseException) -> str:
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _place(frame: traceback.FrameSummary) -> str:
    path = PurePath(frame.filename)
    return f"{path.parent.name}/{path.name}:{frame.lineno} {frame.name}"
