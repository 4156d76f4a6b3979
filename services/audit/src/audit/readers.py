"""Who may read recorded bytes over HTTP, and under which name; hashes and checkpoints are for everyone."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response

from audit.settings import AuditSettings
from chassis.server import problem

ANYONE = "anyone"
"""Who reads where nobody is named."""
SHOWN = 12
"""Digits of a digest that stand for a reader without a name."""


def reader_of(request: Request, settings: AuditSettings) -> str | None:
    """The name of the reader whose token a request bears (RFC 6750); None for whoever may not read.

    An installation that names no reader serves recorded bytes to nobody in production, and to everyone outside it.
    """
    if not settings.audit_readers:
        return None if settings.production else ANYONE
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    digest = hashlib.sha256(token.strip().encode("utf-8", "surrogateescape")).hexdigest()
    return _one_of(digest, settings.audit_readers) if scheme.lower() == "bearer" else None


def restricted() -> Response:
    """What everybody else is told (RFC 6750 section 3)."""
    title = "Recorded bytes are for named readers: a bearer token is needed"
    return problem(401, title, code="unauthorized", headers={"WWW-Authenticate": "Bearer"})


def _one_of(digest: str, readers: Sequence[str]) -> str | None:
    """Takes as long whichever it is."""
    found = None
    for reader in readers:
        name, _, known = reader.rpartition("=")
        if hmac.compare_digest(digest, known):
            found = name or f"reader-{known[:SHOWN]}"
    return found
