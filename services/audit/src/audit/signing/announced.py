"""The first leaf of a log as it was announced on the broker."""

from __future__ import annotations

import json

from guichet_verify.encoding import read_base64
from guichet_verify.leaves import FirstLeaf, NotALeaf, Record, encode_first, parse


def said_by(record: Record) -> FirstLeaf | None:
    """The leaf that an announcement (guichet.epoch.opened.v1) says; None when it says none."""
    try:
        said = json.loads(record.value or b"")
        first = FirstLeaf(
            said["origin"],
            said["first_offset"],
            said["reason"],
            said["previous_origin"],
            said["previous_size"],
            read_base64(said["previous_root"]),
            tuple((each["from"], each["to"]) for each in said["lost_ranges"]),
        )
        encode_first(first)
    except (NotALeaf, KeyError, TypeError, ValueError, AttributeError, RecursionError):
        return None
    return first


def matches(announcement: bytes, first: FirstLeaf) -> bool:
    """Whether the leaf of an announcement says exactly what this first leaf says."""
    try:
        record = parse(announcement)
    except NotALeaf:
        return False
    return isinstance(record, Record) and said_by(record) == first
