"""Who may read recorded bytes over HTTP; hashes and checkpoints are for everyone."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response

from audit.settings import AuditSettings
from chassis.server import problem


def may_read(request: Request, settings: AuditSettings) -> bool:
    """Whether a request bears the token of a reader (RFC 6750).

    An installation that names no reader serves recorded bytes to nobody in production, and to everyone outside it.
    """
    if not settings.audit_readers:
        return not settings.production
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    digest = hashlib.sha256(token.strip().encode("utf-8", "surrogateescape")).hexdigest()
    return scheme.lower() == "bearer" and _one_of(digest, settings.audit_readers)


def restricted() -> Response:
    """What everybody else is told (RFC 6750 section 3)."""
    title = "Recorded bytes are for named readers: a bearer token is needed"
    return problem(401, title, code="unauthorized", headers={"WWW-Authenticate": "Bearer"})


def _one_of(digest: str, known: Sequence[str]) -> bool:
    """Takes as long whichever it is."""
    return sum(hmac.compare_digest(digest, each) for each in known) > 0
