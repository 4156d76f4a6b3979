"""Timestamp tokens over checkpoints (RFC 3161, level 5), by the extra `guichet-verify[tsa]`."""

from __future__ import annotations


class TokenCheck:
    """An authority's certificates, in PEM, and what they make of a token."""

    def __init__(self, authority: bytes) -> None:
        self._authority = authority

    def refuses(self, token: bytes | None, digest: bytes) -> str | None:
        """Why a token is not one of this authority over this SHA-256; None when it is."""
        del digest
        return "no token" if token is None else "rfc3161-client is not installed"
