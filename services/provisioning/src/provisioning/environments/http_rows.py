"""Rows between us and a provisioner: lines of COPY text, in bodies of about half a megabyte, counted on their way.

COPY text is what PostgreSQL gives and takes, and what the digest of a table is made of: nothing is converted, and a
table has the same manifest wherever it stands.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Final

from provisioning.environments.manifest import Manifest

BODY_BYTES: Final = 512 * 1024
"""How much of a table goes in one request, about."""


class NotRows(Exception):
    """What came is not whole lines with a value for each column."""


async def bodies(chunks: AsyncIterator[bytes], found: Manifest) -> AsyncGenerator[bytes, None]:
    """Chunks of whole lines, gathered into bodies; each line is counted in `found`."""
    body = bytearray()
    async for chunk in chunks:
        found.add(chunk.split(b"\n")[:-1])
        body += chunk
        if len(body) >= BODY_BYTES:
            yield bytes(body)
            body.clear()
    if body:
        yield bytes(body)


def lines_of(body: bytes, width: int) -> list[bytes]:
    """The lines of a body, without their ends, each of `width` values. Raises NotRows."""
    *lines, rest = body.split(b"\n")
    if rest or any(line.count(b"\t") != width - 1 for line in lines):
        raise NotRows
    return lines
