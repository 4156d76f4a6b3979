"""An opened bundle: its container and its set of files found right, its parts at hand (level 0)."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator

from guichet_verify import members
from guichet_verify.container import Container, Member, NotABundle
from guichet_verify.leaves import BLOB_LIMIT, LEAF_LIMIT
from guichet_verify.manifest import MANIFEST_LIMIT, Manifest, NotAManifest, read_manifest

MAX_BYTES = 64 << 30
"""The sum of all sizes that is read unless told otherwise."""

_DIGITS = frozenset("0123456789abcdef")


class Section:
    """The files of one kind in one log, found by index; sixteen bytes of memory each."""

    def __init__(self) -> None:
        self._indexes, self._places = array("Q"), array("Q")

    def add(self, index: int, place: int) -> None:
        self._indexes.append(index)
        self._places.append(place)

    def place(self, index: int) -> int:
        """The place in the directory of the file with this index, which was added."""
        return self._places[bisect_left(self._indexes, index)]

    def settle(self) -> None:
        """Brings what was added in the order of names into that of indexes."""
        if any(one > other for one, other in zip(self._indexes, self._indexes[1:], strict=False)):
            order = sorted(range(len(self._indexes)), key=self._indexes.__getitem__)
            self._indexes = array("Q", (self._indexes[each] for each in order))
            self._places = array("Q", (self._places[each] for each in order))


class Blobs:
    """The blobs of a bundle by digest, and which of them a leaf claimed."""

    def __init__(self) -> None:
        self._digests, self._places, self._claimed = bytearray(), array("Q"), bytearray()

    def add(self, digest: bytes, place: int) -> None:
        self._digests += digest
        self._places.append(place)
        self._claimed.append(0)

    def claim(self, digest: bytes) -> int | None:
        """The place of a blob, which is claimed from now on; None when the bundle does not have it."""
        low, high = 0, len(self._places)
        while low < high:
            middle = (low + high) // 2
            if self._digests[32 * middle : 32 * middle + 32] < digest:
                low = middle + 1
            else:
                high = middle
        if self._digests[32 * low : 32 * low + 32] != digest:
            return None
        self._claimed[low] = 1
        return self._places[low]

    @property
    def unclaimed(self) -> int:
        return self._claimed.count(0)


class Bundle:
    """A bundle whose level 0 holds. Reading a part raises NotABundle when its bytes are not those of its checksum."""

    def __init__(self, container: Container, max_bytes: int = MAX_BYTES) -> None:
        self._container = container
        self._sections: dict[members.Key, Section] = {}
        self._blobs = Blobs()
        self._bytes_left = max_bytes
        walk = container.walk()
        _, first = next(walk)
        if first.name != members.MANIFEST:
            raise NotABundle("bundle.json is not the first file")
        self._take(first, 1, MANIFEST_LIMIT)
        try:
            self.manifest: Manifest = read_manifest(container.read(first))
        except NotAManifest as error:
            raise NotABundle(f"bundle.json: {error}") from error
        self._absent = {bytes.fromhex(digest): False for digest in self.manifest.absent}
        self._open(walk)

    def checkpoint(self, number: int) -> bytes:
        return self._read((number, members.CHECKPOINT), 0)

    def token(self, number: int) -> bytes | None:
        """The timestamp token of a log's checkpoint, if there is one."""
        key = number, members.TOKEN
        return self._read(key, 0) if key in self._sections else None

    def consistency(self, number: int, old: int) -> bytes:
        return self._read((number, members.CONSISTENCY), old)

    def range_proof(self, number: int) -> bytes:
        return self._read((number, members.RANGE_PROOF), 0)

    def tile(self, number: int, level: int, index: int) -> bytes:
        return self._read((number, f"{members.TILE}/{level}"), index)

    def entries(self, number: int, index: int) -> bytes:
        return self._read((number, members.ENTRIES), index)

    def entry(self, number: int, index: int) -> bytes:
        return self._read((number, members.ENTRY), index)

    def proof(self, number: int, index: int) -> bytes:
        return self._read((number, members.PROOF), index)

    def story(self, number: int) -> bytes:
        return self._read((-1, members.STATE), number)

    def claim(self, digest: bytes) -> bytes | None:
        """The encoding that a leaf claims; None when it is listed as absent; KeyError when it is neither."""
        place = self._blobs.claim(digest)
        if place is None:
            if digest not in self._absent:
                raise KeyError("blob")
            self._absent[digest] = True
            return None
        return self._container.read(self._container.at(place)[0])

    @property
    def unclaimed(self) -> int:
        """Blobs, and digests of absent ones, that no leaf claimed so far."""
        return self._blobs.unclaimed + sum(not claimed for claimed in self._absent.values())

    def _read(self, key: members.Key, index: int) -> bytes:
        return self._container.read(self._container.at(self._sections[key].place(index))[0])

    def _take(self, member: Member, least: int, most: int) -> None:
        if not least <= member.size <= most:
            raise NotABundle(f"size of {member.name}")
        self._bytes_left -= member.size
        if self._bytes_left < 0:
            raise NotABundle("more bytes than are allowed to be read")

    def _open(self, walk: Iterator[tuple[int, Member]]) -> None:
        expected = members.expected_members(self.manifest)
        last = ""
        for place, member in walk:
            if member.name <= last:
                raise NotABundle("files are not sorted by name")
            last = member.name
            if member.name.startswith(members.BLOBS):
                self._open_blob(place, member)
                continue
            due = next(expected, None)
            if due is not None and due.optional and due.name != member.name:
                due = next(expected, None)
            if due is None or due.name < member.name:
                raise NotABundle(f"missing file: {due.name}" if due else f"unexpected file: {member.name}")
            if due.name != member.name:
                raise NotABundle(f"unexpected file: {member.name}")
            self._take(member, due.least, due.most)
            self._sections.setdefault(due.key, Section()).add(due.index, place)
        due = next((each for each in expected if not each.optional), None)
        if due is not None:
            raise NotABundle(f"missing file: {due.name}")
        for section in self._sections.values():
            section.settle()

    def _open_blob(self, place: int, member: Member) -> None:
        digest = member.name.removeprefix(members.BLOBS)
        if len(digest) != 64 or not _DIGITS.issuperset(digest):
            raise NotABundle(f"unexpected file: {member.name}")
        if bytes.fromhex(digest) in self._absent:
            raise NotABundle("a blob that is listed as absent")
        self._take(member, LEAF_LIMIT + 1, BLOB_LIMIT)
        self._blobs.add(bytes.fromhex(digest), place)
