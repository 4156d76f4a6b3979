"""Free text that might name someone, readable only as long as its key exists."""

from typing import Annotated, Literal

from pydantic import Field

from contracts.facts import Shape

Base64 = Annotated[str, Field(pattern=r"^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$")]
"""Canonical base64 with padding (RFC 4648 section 4)."""


class Sealed(Shape):
    """Text encrypted by its producer under the request's own key; additional data: event id and field name.

    No key, no text.
    """

    alg: Literal["A256GCM"]
    key_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$")]
    nonce: Annotated[str, Field(pattern=r"^[A-Za-z0-9+/]{16}$")]
    ciphertext: Annotated[Base64, Field(min_length=24, max_length=65536)]
