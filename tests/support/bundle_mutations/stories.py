"""Changes to what was held before, to numbers and to stories."""

from __future__ import annotations

import json
from dataclasses import replace

import made_bundles as made
from bundle_mutations.table import GOOD, Files, changed, manifested, mutation
from guichet_verify.encoding import write_base64
from guichet_verify.leaves import Record
from guichet_verify.manifest import ALL, LOG, Scope, Subject

changed(
    3,
    "a consistency proof is changed",
    "logs/0/consistency/256",
    lambda data: write_base64(bytes(32)).encode() + data[44:],
)
changed(3, "a consistency proof is another's", "logs/0/consistency/300", lambda data: GOOD["logs/0/consistency/256"])
changed(3, "a consistency proof has one hash less", "logs/0/consistency/300", lambda data: data[45:])
changed(3, "a consistency proof is empty", "logs/1/consistency/500", lambda data: b"")
changed(3, "a consistency proof is no base64", "logs/1/consistency/500", lambda data: b"\x00" + data)

manifested(6, "the last number is too low", lambda body: body["subjects"][0].update(last={made.SOURCES[0]: 85}))
manifested(6, "the last number is too high", lambda body: body["subjects"][0].update(last={made.SOURCES[0]: 87}))
manifested(
    6,
    "the last number is beyond all counting",
    lambda body: body["subjects"][0].update(last={made.SOURCES[0]: (1 << 53) - 1}),
)
manifested(6, "numbers are denied", lambda body: body["subjects"][0].update(last={made.SOURCES[0]: None}))
manifested(6, "a source is not listed", lambda body: body["subjects"][0].update(last={}))
manifested(
    6, "a source is listed that said nothing", lambda body: body["subjects"][0]["last"].update({"guichet/x": None})
)
manifested(
    6,
    "a source is listed with numbers that it did not give",
    lambda body: body["subjects"][1].update(last={"guichet/provisioning": 3}),
)
manifested(
    6,
    "a part of a log is called everything",
    lambda body: body.update(scope={"kind": ALL, "value": None, "complete": True}),
)
manifested(
    6,
    "a part of a log is called the log",
    lambda body: body.update(scope={"kind": LOG, "value": made.SMALL.origin, "complete": True}),
)


def numbered(level: int, name: str, records: list[Record], last: int) -> None:
    def mutate(_: Files) -> Files:
        log = made.MadeLog(made.LARGE.topic, 0, records)
        manifest = replace(
            made.whole(log), subjects=(Subject("r", {made.SOURCES[0]: last}),), scope=Scope("subject", "r", True)
        )
        return made.files_of(manifest, [log])

    mutation(level, name)(mutate)


def said(offset: int, sequence: int, value: bytes = b"{}") -> Record:
    return made.record(made.LARGE.topic, 0, offset, "r", made.SOURCES[0], sequence, value)


numbered(6, "an event of a request is left out", [said(0, 1), said(1, 3)], 3)
numbered(6, "the first event of a request is left out", [said(0, 2), said(1, 3)], 3)
numbered(6, "one number for two events", [said(0, 1), said(1, 1, b"{ }"), said(2, 2)], 2)
changed(
    7,
    "a story leaves an event out",
    "state/0.json",
    lambda data: json.dumps(
        {**json.loads(data), "events": json.loads(data)["events"][1:]}, separators=(",", ":")
    ).encode(),
)
changed(7, "a story has a space", "state/0.json", lambda data: data.replace(b":", b": ", 1))
changed(7, "a story ends in a newline", "state/0.json", lambda data: data + b"\n")
changed(
    7, "a story has another number", "state/0.json", lambda data: data.replace(b'"sequence":1,', b'"sequence":2,', 1)
)
changed(7, "a story is another's", "state/1.json", lambda data: GOOD["state/0.json"])
changed(7, "a story is no JSON", "state/1.json", lambda data: b"\x00")
