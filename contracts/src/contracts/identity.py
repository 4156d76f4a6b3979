"""Identities that are known before anything runs and the same after any replay (UUIDv5, RFC 9562 section 5.5)."""

from uuid import UUID, uuid5

_GUICHET = UUID("6f1c1c0e-8d5b-5b0a-9d0f-3a7d1f5f2c11")


def request_id(portal: str, portal_reference: str) -> str:
    """The id of the request that `portal` knows under `portal_reference`.

    The length keeps (a, bc) and (ab, c) apart.
    """
    return str(uuid5(_GUICHET, f"request:{len(portal)}:{portal}:{portal_reference}"))


def permit_id(request_id: str) -> str:
    """The id of the permit of a request: one at most, whatever its versions."""
    return str(uuid5(_GUICHET, f"permit:{UUID(request_id)}"))


def workspace_id(request_id: str) -> str:
    """The id of the workspace of a request."""
    return str(uuid5(_GUICHET, f"workspace:{UUID(request_id)}"))
