"""Changes to the container: a zip file that is not exactly what it must be."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable

from audit.packing import Packer
from bundle_mutations.table import Files, flip, mutation, rawly
from guichet_verify.container import CENTRAL, CENTRAL_MARK, END, END_MARK, LOCAL, LOCAL_MARK

rawly("an empty file", lambda data: b"")
rawly("no zip file", lambda data: b"guichet" * 100)
rawly("cut in half", lambda data: data[: len(data) // 2])
rawly("the last byte is cut off", lambda data: data[:-1])
rawly("bytes behind the end", lambda data: data + b"\x00")
rawly("bytes before the first member", lambda data: b"#!/bin/sh\n" + data)
rawly("a comment on the whole", lambda data: data[:-2] + b"\x04\x00text")


def central(
    number: int, at: int, form: str, value: int, local: tuple[int, str] | None = None
) -> Callable[[bytearray], bytearray]:
    """Overwrites a field of the directory entry `number`, and perhaps of its local header too."""

    def change(data: bytearray) -> bytearray:
        place = END.unpack_from(data, len(data) - END.size)[6]
        for _ in range(number):
            named, extra, comment = struct.unpack_from("<3H", data, place + 28)
            place += CENTRAL.size + named + extra + comment
        struct.pack_into(form, data, place + at, value)
        if local is not None:
            (offset,) = struct.unpack_from("<L", data, place + 42)
            struct.pack_into(local[1], data, offset + local[0], value)
        return data

    return change


rawly("a member is encrypted", central(3, 8, "<H", 1, (6, "<H")))
rawly("a member's length follows its bytes", central(3, 8, "<H", 8, (6, "<H")))
rawly("a member is a folder", central(3, 38, "<L", 0o040755 << 16 | 0x10))
rawly("a member is a symbolic link", central(3, 38, "<L", 0o120777 << 16))
rawly("a member is a device", central(3, 38, "<L", 0o060777 << 16))
rawly("a member is packed another way", central(3, 10, "<H", 12, (8, "<H")))
rawly("a member has a date", central(3, 14, "<H", 0x5D79, (12, "<H")))
rawly("a member has a time of day", central(3, 12, "<H", 0x6000, (10, "<H")))
rawly("a checksum differs", central(0, 16, "<L", 1, (14, "<L")))
rawly("a checksum in the directory alone differs", central(0, 16, "<L", 1))
rawly("the local header states another size", central(4, 24, "<L", 131))
rawly("a member inflates to more than it states", central(0, 24, "<L", 100, (22, "<L")))
rawly("a member inflates to less than it states", central(0, 24, "<L", 5000, (22, "<L")))
rawly("two members are the same bytes", central(4, 42, "<L", 0))
rawly("a member is on another disk", central(2, 34, "<H", 1))
rawly("a member has a comment that is not there", central(2, 32, "<H", 9))
rawly("a member has an extra field that is not there", central(2, 30, "<H", 12))
rawly("the directory counts one more", lambda data: data[:-12] + struct.pack("<H", 31) + data[-10:])
rawly("both counts are one less", lambda data: data[:-14] + struct.pack("<2H", 29, 29) + data[-10:])
rawly("a packed byte is flipped", lambda data: flip(bytes(data), 60))
rawly("the local header names another file", lambda data: data.replace(b"bundle.json", b"bundle.jsom", 1))


def named(name: str, wrong: str) -> None:
    mutation(0, name)(lambda files: {**files, wrong: b"x"})


named("an upper-case name", "logs/0/README")
named("a name that climbs", "logs/../../etc/passwd")
named("an absolute name", "/etc/passwd")
named("a name with a backslash", "logs\\0\\x")
named("a name with an empty part", "logs//x")
named("a file too many", "logs/0/zzz")
named("a key in the bundle", "logs/0/key")
named("a blob that is named like none", "blobs/abc")
named("a proof of consistency too many", "logs/0/consistency/7")
named("a log too many", "logs/3/checkpoint")


@mutation(0, "a name twice")
def _(files: Files) -> bytes:
    packer = Packer()
    names = ["bundle.json", *sorted([*(name for name in files if name != "bundle.json"), "state/0.json"])]
    return b"".join(packer.add(name, files[name]) for name in names) + packer.end()


@mutation(0, "names are not sorted")
def _(files: Files) -> bytes:
    packer = Packer()
    names = ["bundle.json", *sorted((name for name in files if name != "bundle.json"), reverse=True)]
    return b"".join(packer.add(name, files[name]) for name in names) + packer.end()


@mutation(0, "bundle.json is not first")
def _(files: Files) -> bytes:
    packer = Packer()
    return b"".join(packer.add(name, files[name]) for name in sorted(files)) + packer.end()


@mutation(0, "a gap between members hides bytes")
def _(files: Files) -> bytes:
    packer = Packer()
    written = packer.add("bundle.json", files["bundle.json"])
    packer._written += 5
    rest = b"".join(packer.add(name, files[name]) for name in sorted(files) if name != "bundle.json")
    return written + b"hidden"[:5] + rest + packer.end()


@mutation(0, "a tile of eight kilobytes that inflates to a gigabyte")
def _(files: Files) -> bytes:
    deflater = zlib.compressobj(9, wbits=-15)
    # After a full flush nothing refers to what came before: one packed mebibyte serves for all.
    mebibyte = deflater.compress(bytes(1 << 20)) + deflater.flush(zlib.Z_FULL_FLUSH)
    return bombed(files, "logs/0/tile/0/000", 1024 * mebibyte + deflater.flush(), 8192)


@mutation(0, "a manifest that inflates to four gigabytes")
def _(files: Files) -> bytes:
    deflater = zlib.compressobj(9, wbits=-15)
    bomb = deflater.compress(bytes(16 << 20)) + deflater.flush()
    return bombed(files, "bundle.json", bomb, (4 << 30) - 1)


def bombed(files: Files, bombed: str, bomb: bytes, size: int) -> bytes:
    """The container with other packed bytes, and another stated size, for one of its members."""
    written, directory = bytearray(), bytearray()
    names = ["bundle.json", *sorted(name for name in files if name != "bundle.json")]
    for name in names:
        deflater = zlib.compressobj(wbits=-15)
        packed = bomb if name == bombed else deflater.compress(files[name]) + deflater.flush()
        sizes = zlib.crc32(files[name]), len(packed), size if name == bombed else len(files[name])
        directory += CENTRAL.pack(CENTRAL_MARK, 20, 20, 0, 8, 0, 33, *sizes, len(name), 0, 0, 0, 0, 0, len(written))
        directory += name.encode()
        written += LOCAL.pack(LOCAL_MARK, 20, 0, 8, 0, 33, *sizes, len(name), 0) + name.encode() + packed
    count = len(names)
    return bytes(written + directory + END.pack(END_MARK, 0, 0, count, count, len(directory), len(written), 0))
