"""Changes to bundle.json, to the set of files and to their sizes."""

from __future__ import annotations

import made_bundles as made
from bundle_mutations.table import GOOD, changed, manifested, mutation

changed(0, "the manifest is no JSON", "bundle.json", lambda data: data[:-3])
changed(0, "the manifest has a byte order mark", "bundle.json", lambda data: b"\xef\xbb\xbf" + data)
changed(0, "the manifest is not UTF-8", "bundle.json", lambda data: data.replace(b"made for", b"made \xff"))
changed(
    0,
    "the manifest has a member twice",
    "bundle.json",
    lambda data: data.replace(b'"version": 1', b'"version": 1, "version": 1'),
)
changed(0, "the manifest has a second value behind it", "bundle.json", lambda data: data + b"{}")
changed(0, "the manifest is nested a million deep", "bundle.json", lambda data: b"[" * 1_000_000)
changed(0, "the manifest is nested as deep as is counted", "bundle.json", lambda data: b"[" * 499_999)
changed(0, "the manifest is five million empty lists", "bundle.json", lambda data: b"[" + b"[]," * 5_000_000 + b"[]]")
changed(
    0,
    "the manifest is objects as many as are counted",
    "bundle.json",
    lambda data: b"[" + b'{"a":[]},' * 249_000 + b"[]]",
)
changed(0, "the manifest is two million texts", "bundle.json", lambda data: b"[" + b'"ab",' * 3_000_000 + b'""]')
changed(0, "the manifest has a number of a million digits", "bundle.json", lambda data: b"[" + b"9" * 1_000_000 + b"]")
changed(0, "the manifest is a list", "bundle.json", lambda data: b"[]")
changed(0, "a number that is no JSON", "bundle.json", lambda data: data.replace(b'"version": 1', b'"version": NaN'))
changed(0, "a number with a fraction", "bundle.json", lambda data: data.replace(b'"version": 1', b'"version": 1.0'))
changed(0, "a number that is minus nothing", "bundle.json", lambda data: data.replace(b'"from": 0', b'"from": -0'))
manifested(0, "an unknown member", lambda body: body.update(keys=[]))
manifested(0, "a missing member", lambda body: body.pop("absent"))
manifested(0, "another version", lambda body: body.update(version=2))
manifested(0, "another format", lambda body: body.update(format="tar"))
manifested(0, "true for a number", lambda body: body["logs"][0].update(n=False))
manifested(0, "a negative number", lambda body: body["logs"][0].update({"from": -256}))
manifested(0, "a size beyond all numbers", lambda body: body["logs"][0].update(size=1 << 53))
manifested(
    0, "the largest size, claimed whole", lambda body: body["logs"][0].update(size=(1 << 53) - 1, to=(1 << 53) - 1)
)
manifested(0, "a size of nothing", lambda body: body["logs"][2].update(size=0, indexes=[]))
manifested(0, "no log", lambda body: body.update(logs=[]))
manifested(
    0,
    "4,097 logs",
    lambda body: body.update(logs=[{**body["logs"][2], "n": n, "origin": f"o{n}"} for n in range(4097)]),
)
manifested(0, "one log under two numbers", lambda body: body["logs"][1].update(origin=body["logs"][0]["origin"]))
manifested(0, "a log with another's number", lambda body: body["logs"][1].update(n=0))
manifested(0, "a range that begins within a tile", lambda body: body["logs"][1].update({"from": 255}))
manifested(0, "a range that ends within a tile", lambda body: body["logs"][1].update(to=699))
manifested(0, "an empty range", lambda body: body["logs"][1].update({"from": 512, "to": 512}))
manifested(0, "a range beyond the log", lambda body: body["logs"][1].update(to=768))
manifested(0, "indexes that fall", lambda body: body["logs"][2].update(indexes=[5, 0, 64, 99]))
manifested(0, "an index beyond the log", lambda body: body["logs"][2].update(indexes=[0, 5, 64, 100]))
manifested(0, "an older size that is not older", lambda body: body["logs"][0].update(older=[2, 256, 600]))
manifested(0, "an unknown shape", lambda body: body["logs"][0].update(shape="tree"))
manifested(0, "both shapes at once", lambda body: body["logs"][0].update(indexes=[1]))
manifested(0, "a control character in an origin", lambda body: body["logs"][0].update(origin="a\x1b[2J"))
manifested(0, "half a surrogate pair in a text", lambda body: body.update(tool="\ud800"))
manifested(0, "a text of 1,025 characters", lambda body: body.update(tool="x" * 1025))
manifested(0, "a scope that is not listed", lambda body: body["scope"].update(value="request-9"))
manifested(
    0,
    "a scope of a log without its name",
    lambda body: body.update(scope={"kind": "log", "value": None, "complete": True}),
)
manifested(0, "an unknown basis", lambda body: body["as_of"].update(basis="guess"))
manifested(0, "a subject twice", lambda body: body["subjects"].append(body["subjects"][0]))
manifested(0, "a last number of nothing", lambda body: body["subjects"][0].update(last={made.SOURCES[0]: 0}))
manifested(0, "an absent digest that is none", lambda body: body.update(absent=["abc"]))
manifested(0, "one more subject than stories", lambda body: body["subjects"].append({"subject": "x", "last": {}}))
manifested(0, "one index more than entries", lambda body: body["logs"][2].update(indexes=[0, 5, 64, 98, 99]))

for gone in (
    "bundle.json",
    "logs/0/checkpoint",
    "logs/0/tile/0/001",
    "logs/0/tile/1/000.p/2",
    "logs/0/tile/entries/001",
    "logs/0/consistency/256",
    "logs/1/range.proof",
    "logs/2/entry/64",
    "logs/2/proof/64.tlog-proof",
    "state/1.json",
):
    mutation(0, f"without {gone}")(
        lambda files, gone=gone: {name: data for name, data in files.items() if name != gone}
    )

changed(0, "a checkpoint of 64 KiB and more", "logs/0/checkpoint", lambda data: data + b"x" * (64 << 10))
changed(0, "an empty checkpoint", "logs/0/checkpoint", lambda data: b"")
changed(0, "a tile of another width", "logs/0/tile/0/002.p/88", lambda data: data + bytes(32))
changed(0, "an entry bundle too large for its width", "logs/0/tile/entries/002.p/88", lambda data: bytes(88 * 65_538))
changed(0, "a range proof larger than any", "logs/1/range.proof", lambda data: data * 200)
mutation(0, "a blob too small to be claimed")(lambda files: {**files, "blobs/" + "00" * 32: b"small"})
mutation(0, "a blob too large to be read")(lambda files: {**files, "blobs/" + "00" * 32: bytes((2 << 20) + 1)})
BLOBS = sorted(name for name in GOOD if name.startswith("blobs/"))
manifested(0, "a blob that is listed as absent", lambda body: body.update(absent=[BLOBS[0][6:]]))
