"""Text forms that have exactly one spelling: base64, decimal numbers, lines of hashes."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence

from guichet_verify.tree import SIZE_LIMIT

_DECIMAL = re.compile(r"0|[1-9][0-9]{0,15}", re.ASCII)


def write_base64(data: bytes) -> str:
    """Standard base64 with padding (RFC 4648, section 4)."""
    return base64.b64encode(data).decode("ascii")


def read_base64(text: str) -> bytes:
    """The bytes that `text` stands for; raises ValueError for any spelling but the one `write_base64` gives."""
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise ValueError("not base64") from error
    if write_base64(data) != text:
        raise ValueError("base64 is not canonical")
    return data


def read_decimal(text: str) -> int:
    """A number from 0 to 2^53-1 without sign or leading zero; raises ValueError."""
    if not _DECIMAL.fullmatch(text) or int(text) > SIZE_LIMIT:
        raise ValueError("not a number in decimal")
    return int(text)


def write_hashes(hashes: Sequence[bytes]) -> bytes:
    """Hashes in base64, one a line."""
    return "".join(f"{write_base64(each)}\n" for each in hashes).encode("ascii")


def read_hashes(data: bytes) -> list[bytes]:
    """SHA-256 hashes in base64, one a line, each line ended; raises ValueError."""
    try:
        lines = data.decode("ascii").split("\n")
    except UnicodeDecodeError as error:
        raise ValueError("not lines of base64") from error
    if lines.pop():
        raise ValueError("last line is not ended")
    hashes = [read_base64(line) for line in lines]
    if any(len(each) != 32 for each in hashes):
        raise ValueError("not hashes of 32 bytes")
    return hashes
