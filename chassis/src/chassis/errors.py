"""The three kinds of trouble, and the one place that tells them apart."""

import enum
import hashlib
import traceback

import asyncpg
from aiokafka.errors import KafkaConnectionError, KafkaError
from contracts.envelope import Unreadable

__all__ = ["Kind", "Unavailable", "Unreadable", "code_of", "fingerprint_of", "kind_of"]


class Unavailable(Exception):
    """Infrastructure is away: wait, then do the same thing again. Never a reason to give a message up."""


class Kind(enum.Enum):
    """What to do about an error."""

    UNAVAILABLE = "unavailable"  # seek, pause, back off, for ever
    UNREADABLE = "unreadable"  # dead-letter at once, alone
    BUG = "bug"  # isolate, try again, then dead-letter


# https://www.postgresql.org/docs/18/errcodes-appendix.html
_AWAY = ("08", "53", "57P", "58")
_AWAY_STATES = frozenset({"25006", "25P03", "25P04", "40001", "40P01", "55P03", "57014"})
_DATA = ("22", "23")


def kind_of(error: BaseException) -> Kind:
    """Say which kind of trouble an error is. Never fails, never reads the error's text."""
    if isinstance(error, Unreadable):
        return Kind.UNREADABLE
    if isinstance(error, asyncpg.PostgresError):
        return _kind_of_state(error.sqlstate or "")
    # asyncpg reports unencodable arguments as DataError, which is an InterfaceError too: data, not infrastructure.
    if isinstance(error, asyncpg.exceptions.DataError):
        return Kind.UNREADABLE
    if isinstance(error, KafkaError):
        away = error.retriable or isinstance(error, KafkaConnectionError)
        return Kind.UNAVAILABLE if away else Kind.BUG
    # A connection killed in the middle of a query shows as one of the two asyncpg classes.
    if isinstance(error, Unavailable | OSError | TimeoutError | asyncpg.InterfaceError | asyncpg.InternalClientError):
        return Kind.UNAVAILABLE
    return Kind.BUG


def _kind_of_state(state: str) -> Kind:
    if state in _AWAY_STATES or state.startswith(_AWAY):
        return Kind.UNAVAILABLE
    return Kind.UNREADABLE if state.startswith(_DATA) else Kind.BUG


def code_of(error: BaseException) -> str:
    """Name an error in kebab-case words that hold no value of any field."""
    if isinstance(error, Unreadable):
        return error.code
    if isinstance(error, asyncpg.PostgresError):
        return f"sqlstate-{(error.sqlstate or 'unknown').lower()}"
    return f"bug-{type(error).__name__.lower()}"


def fingerprint_of(error: BaseException) -> str:
    """Give errors raised at the same place the same 16 hexadecimal digits: class and frames, never the text."""
    frames = [f"{frame.f_code.co_name}:{line}" for frame, line in traceback.walk_tb(error.__traceback__)]
    return hashlib.sha256("\n".join([type(error).__qualname__, code_of(error), *frames]).encode()).hexdigest()[:16]
