"""A page of a PostgreSQL data file as whoever edits it must leave it: with a checksum that fits (checksum_impl.h)."""

from pathlib import Path

SIZE = 8192
_AT = 8  # Of pd_checksum in the header of a page.
_PRIME = 16777619
_OFFSETS = (
    0x5B1F36E9, 0xB8525960, 0x02AB50AA, 0x1DE66D2A, 0x79FF467A, 0x9BB9F8A3, 0x217E7CD2, 0x83E13D2C,
    0xF8D4474F, 0xE39EB970, 0x42C6AE16, 0x993216FA, 0x7B093B5D, 0x98DAFF3C, 0xF718902A, 0x0B1C9CDB,
    0xE58F764B, 0x187636BC, 0x5D7B3BB1, 0xE73DE7DE, 0x92BEC979, 0xCCA6C0B2, 0x304A0979, 0x85AA43D4,
    0x783125BB, 0x6CA8EAA2, 0xE407EAC6, 0x4B5CFC3E, 0x9FBF8C76, 0x15CA20BE, 0xF2CA9FD3, 0x959BD756,
)  # fmt: skip


def checksum(page: bytes, number: int) -> int:
    """The checksum of page `number` of its file."""
    data = page[:_AT] + b"\0\0" + page[_AT + 2 :]
    sums = list(_OFFSETS)
    words = [int.from_bytes(data[at : at + 4], "little") for at in range(0, SIZE, 4)] + [0] * 64
    for at, word in enumerate(words):
        mixed = sums[at % 32] ^ word
        sums[at % 32] = (mixed * _PRIME & 0xFFFFFFFF) ^ (mixed >> 17)
    result = 0
    for each in sums:
        result ^= each
    return (result ^ number) % 65535 + 1


def replace(path: Path, old: bytes, new: bytes, *, checksummed: bool) -> None:
    """Replaces bytes that stand once in a data file by others of the same length."""
    data = bytearray(path.read_bytes())
    assert (data.count(old), len(new)) == (1, len(old))
    at = data.index(old)
    first = at // SIZE * SIZE
    page = data[first : first + SIZE]
    stored = int.from_bytes(page[_AT : _AT + 2], "little")
    assert checksum(bytes(page), first // SIZE) == stored, "pages of this server carry checksums, computed as here"
    data[at : at + len(old)] = new
    if checksummed:
        fitting = checksum(bytes(data[first : first + SIZE]), first // SIZE)
        data[first + _AT : first + _AT + 2] = fitting.to_bytes(2, "little")
    path.write_bytes(data)
