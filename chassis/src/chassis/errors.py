"""The three kinds of trouble, and the one place that tells them apart."""

import enum
import hashlib
import re
import traceback

import asyncpg
from aiokafka.errors import KafkaConnectionError, KafkaError

from contracts.envelope import Unreadable

__all__ = ["SURROUNDINGS", "Kind", "Unavailable", "Unreadable", "code_of", "fingerprint_of", "kind_of"]


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

SURROUNDINGS = (
    *(Unavailable, OSError, TimeoutError, KafkaError),
    *(asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError),
)
"""The classes of what database and broker raise. Which of them passes by itself, the class does not tell: `kind_of`
reads the SQLSTATE, or whether the broker says that it may be tried again."""

_NOT_KEBAB = re.compile(r"[^a-z0-9]+")


def kind_of(error: BaseException) -> Kind:
    """Say which kind of trouble an error is. Never fails, never reads the error's text."""
    if isinstance(error, Unreadable):
        return Kind.UNREADABLE
    if isinstance(error, asyncpg.PostgresError):
        return _kind_of_state(error.sqlstate or "")
    # asyncpg could not encode an argument: an InterfaceError by its class, but it is about data.
    if isinstance(error, asyncpg.InterfaceError) and isinstance(error, ValueError):
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
    """Name an error in kebab-case words that hold no value of any field: at most 64 letters, digits and hyphens."""
    if isinstance(error, Unreadable):
        code = error.code
    elif isinstance(error, asyncpg.PostgresError):
        code = f"sqlstate-{error.sqlstate or 'unknown'}"
    else:
        code = f"bug-{type(error).__name__}"
    return _NOT_KEBAB.sub("-", code.lower()).lstrip("0123456789-")[:64] or "unnamed"


def fingerprint_of(error: BaseException) -> str:
    """Give errors raised at the same place the same 16 hexadecimal digits: class and frames, never the text."""
    frames = [f"{frame.f_code.co_name}:{line}" for frame, line in traceback.walk_tb(error.__traceback__)]
    return hashlib.sha256("\n".join([type(error).__qualname__, code_of(error), *frames]).encode()).hexdigest()[:16]
