"""Which logs there are: the first leaf of each is announced on `guichet.checkpoints` as `guichet.epoch.opened.v1`."""

from __future__ import annotations

import json
from typing import NamedTuple

from guichet_verify.attributes import attributes_of
from guichet_verify.encoding import read_base64
from guichet_verify.leaves import FirstLeaf, NotALeaf, Record, encode_first

TOPIC = "guichet.checkpoints"
TYPE = "guichet.epoch.opened.v1"


class Announced(NamedTuple):
    """A log: its first leaf, and the partition it is read from."""

    first: FirstLeaf
    topic: str
    part: int


def read_announcement(record: Record) -> Announced | None:
    """The log that a record announces; None for every other record, and for an announcement that nobody can follow."""
    if attributes_of(record).type != TYPE or record.value is None:
        return None
    try:
        said = json.loads(record.value)
        lost = tuple((int(each["from"]), int(each["to"])) for each in said["lost_ranges"])
        first = FirstLeaf(
            said["origin"],
            said["first_offset"],
            said["reason"],
            said["previous_origin"],
            said["previous_size"],
            read_base64(said["previous_root"]),
            lost,
        )
        encode_first(first)
        _, _, topic, part, _ = first.origin.rsplit("/", 4)
        if (said["log_topic"], said["partition"]) != (topic, int(part)):
            return None
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError, NotALeaf):
        return None
    return Announced(first, topic, int(part))
