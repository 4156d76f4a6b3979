"""Timestamp tokens over checkpoints (RFC 3161, level 5), by the extra `guichet-verify[tsa]`."""

from __future__ import annotations

from cryptography import x509

_SHA256 = "2.16.840.1.101.3.4.2.1"


class NoAuthority(ValueError):
    """Bytes that hold no certificate of an authority."""


class TokenCheck:
    """An authority's certificates, and what they make of a token. Raises NoAuthority for other bytes.

    Certificates that sign themselves are the roots, others lead to them; where none does, each is trusted as it is.
    """

    def __init__(self, authority: bytes) -> None:
        try:
            certificates = x509.load_pem_x509_certificates(authority)
        except ValueError as error:
            raise NoAuthority("no certificates in PEM") from error
        self._roots = [each for each in certificates if each.subject == each.issuer] or certificates
        self._others = [each for each in certificates if each not in self._roots]

    def refuses(self, token: bytes | None, digest: bytes) -> str | None:
        """Why a token is not one of this authority over this SHA-256; None when it is."""
        try:
            from rfc3161_client import VerificationError, VerifierBuilder, decode_timestamp_response
        except ImportError:
            return "not evaluated: rfc3161-client is not installed (guichet-verify[tsa])"
        if token is None:
            return "no token"
        try:
            response = decode_timestamp_response(token)
            if response.tst_info.message_imprint.hash_algorithm.dotted_string != _SHA256:
                return "the token is over another hash than SHA-256"
            verifier = VerifierBuilder(roots=list(self._roots), intermediates=list(self._others)).build()
            verifier.verify(response, digest)
        except (VerificationError, ValueError):
            return "the token is not this authority's over this checkpoint"
        return None
