"""Whether a log begins as it was announced on the broker."""

from __future__ import annotations

import json

from guichet_verify.encoding import read_base64
from guichet_verify.leaves import FirstLeaf, NotALeaf, Record, parse


def matches(announcement: bytes, first: FirstLeaf) -> bool:
    """Whether the leaf of an announcement (guichet.epoch.opened.v1) says exactly what this first leaf says."""
    try:
        record = parse(announcement)
        said = json.loads(record.value or b"") if isinstance(record, Record) else {}
        return first == FirstLeaf(
            said["origin"],
            said["first_offset"],
            said["reason"],
            said["previous_origin"],
            said["previous_size"],
            read_base64(said["previous_root"]),
            tuple((each["from"], each["to"]) for each in said["lost_ranges"]),
        )
    except (NotALeaf, KeyError, TypeError, ValueError):
        return False
