"""The table of mutations: a name, the level that must refuse it, and what it changes in a bundle that holds."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import made_bundles as made

Files = dict[str, bytes]
Mutation = Callable[[Files], Files | bytes]

GOOD: Files = made.files_of(made.MANIFEST, made.LOGS)
MUTATIONS: dict[str, tuple[int, Mutation]] = {}


def mutation(level: int, name: str) -> Callable[[Mutation], Mutation]:
    def add(function: Mutation) -> Mutation:
        assert name not in MUTATIONS
        MUTATIONS[name] = level, function
        return function

    return add


def changed(level: int, name: str, member: str, change: Callable[[bytes], bytes]) -> None:
    """A mutation of the bytes of one file."""
    assert member in GOOD, member
    mutation(level, name)(lambda files: {**files, member: change(files[member])})


def manifested(level: int, name: str, change: Callable[[dict[str, Any]], object]) -> None:
    """A mutation of `bundle.json` as data; the files stay."""

    def mutate(files: Files) -> Files:
        body = json.loads(files["bundle.json"])
        change(body)
        return {**files, "bundle.json": json.dumps(body).encode()}

    mutation(level, name)(mutate)


def rawly(name: str, change: Callable[[bytearray], bytes | bytearray]) -> None:
    """A mutation of the container's bytes."""
    mutation(0, name)(lambda files: bytes(change(bytearray(made.pack(files)))))


def flip(data: bytes, at: int = -1) -> bytes:
    copy = bytearray(data)
    copy[at] ^= 1
    return bytes(copy)
