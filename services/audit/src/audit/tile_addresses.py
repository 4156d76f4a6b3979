"""How a tile is addressed over HTTP: C2SP tlog-tiles, `<N>[.p/<W>]`."""

from __future__ import annotations

import re

from guichet_verify.tiles import WIDTH, parse_index_path
from guichet_verify.tree import SIZE_LIMIT

_TILE = re.compile(r"(?P<path>[x0-9/]+?)(?:\.p/(?P<width>[1-9][0-9]{0,2}))?", re.ASCII)


class NotAnAddress(ValueError):
    """Text that addresses no tile."""


def read_address(text: str) -> tuple[int, int]:
    """Number and width of a tile, 256 unless the address ends in `.p/W`; raises NotAnAddress."""
    asked = _TILE.fullmatch(text)
    if not asked:
        raise NotAnAddress
    try:
        number, width = parse_index_path(asked["path"]), int(asked["width"] or WIDTH)
    except ValueError as error:
        raise NotAnAddress from error
    if number > SIZE_LIMIT or width > WIDTH or (asked["width"] and width == WIDTH):
        raise NotAnAddress
    return number, width
