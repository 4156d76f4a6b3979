"""The keys that sign certificates, one after the other: secret halves in files of their owner's, periods for everybody.

`certificates.key` is the first, `certificates-2.key` the next. `certificates.periods` has a line for each, the oldest
first: the instant from which it signs, `-` for the first, and the public key (C2SP signed-note: `name+id+key`).

Where there is no embedded stack: `python -m provisioning.certificate_keys list|rotate|retire KEY_FILE`, whose word for
the trail is `guichet emit`.
"""

from __future__ import annotations

import json
import os
import secrets
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from contracts.envelope import Unreadable, read_time, write_time
from guichet_verify.keyfiles import read_key_file, read_or_make
from guichet_verify.notes import Key, NotAKey, NotANote, SigningKey, read_vkey
from provisioning.certificate import SIGNER, check

FIRST = "-"
AHEAD = timedelta(minutes=1)
"""A new key signs only from then on: a certificate that is being made just now is still signed by the one before."""


@dataclass(frozen=True, slots=True)
class Period:
    """A key signs what was destroyed from `since` on, and before `until`; None where there is no such bound."""

    key: Key
    since: datetime | None
    until: datetime | None

    def covers(self, instant: datetime) -> bool:
        """Whether it is the key of that instant."""
        return (self.since is None or self.since <= instant) and (self.until is None or instant < self.until)


def public_file(path: Path) -> Path:
    """Where the public half of the key in `path` is written (C2SP signed-note: `name+id+key`)."""
    return path.with_suffix(".vkey")


def periods_file(path: Path) -> Path:
    """Where the periods are written of the key in `path` and of those that follow it."""
    return path.with_suffix(".periods")


def signing_key(path: Path) -> SigningKey:
    """The newest key, the first made at first; raises NotAKey for other content and for a file that others may read.

    Never made anew where it once was: FileNotFoundError.
    """
    if periods_file(path).exists():
        file = _file(path, len(periods(path)) - 1)
        key = read_key_file(file)
    else:
        file, key = path, read_key_file(path) if path.exists() else read_or_make(path, SIGNER)
        _replace(periods_file(path), f"{FIRST} {key.log_key.vkey()}\n")
    _publish(file, key)
    return key


def public_key(path: Path) -> Key:
    """The public key written at `path`; raises FileNotFoundError and NotAKey."""
    return read_vkey(path.read_text("utf-8").strip())


def read_periods(text: str) -> tuple[Period, ...]:
    """The periods as they are published, oldest first; raises NotAKey."""
    lines = [line.split() for line in text.splitlines() if line.strip()]
    if not lines or any(len(words) != 2 for words in lines) or lines[0][0] != FIRST:
        raise NotAKey("a line is an instant, - for the first, and a public key")
    try:
        begins = [read_time(since) for since, _ in lines[1:]]
    except Unreadable:
        raise NotAKey("an instant is not written as in RFC 3339") from None
    if begins != sorted(set(begins)):
        raise NotAKey("each key begins after the one before")
    keys = [read_vkey(vkey) for _, vkey in lines]
    return tuple(map(Period, keys, [None, *begins], [*begins, None]))


def periods(path: Path) -> tuple[Period, ...]:
    """Which key signs from when, as written beside the key in `path`; raises FileNotFoundError and NotAKey."""
    return read_periods(periods_file(path).read_text("utf-8"))


def check_in_period(text: str, note: str, known: Sequence[Period]) -> str:
    """The name of the key that signed a certificate while it was its turn; raises NotANote.

    A key that was given up, or stolen, signs nothing that was destroyed outside its period.
    """
    destroyed_at = read_time(json.loads(text)["destroyed_at"])
    name = check(text, note, [period.key for period in known])
    try:
        return check(text, note, [period.key for period in known if period.covers(destroyed_at)])
    except NotANote:
        raise NotANote(f"signed by a key of {name} whose turn it was not") from None


class Signers:
    """The key of each instant. The files are read each time: a rotation needs no restart."""

    def __init__(self, path: Path) -> None:
        self._path = path
        signing_key(path)

    def at(self, instant: datetime) -> SigningKey:
        """The key that signs what is destroyed at an instant; raises FileNotFoundError once it was retired."""
        found = periods(self._path)
        return read_key_file(_file(self._path, next(n for n, each in enumerate(found) if each.covers(instant))))

    def published(self) -> str:
        """The periods, for whoever verifies."""
        return periods_file(self._path).read_text("utf-8")


def prepare(path: Path, now: datetime) -> tuple[Key, Key, datetime]:
    """The key of today, the one to follow it, made on disk, and from when; nothing signs with it before `begin`."""
    signing_key(path)
    found = periods(path)
    if found[-1].since is not None and now < found[-1].since:
        raise NotAKey("another key is about to begin")
    file = _file(path, len(found))
    key = read_or_make(file, found[-1].key.name)
    _publish(file, key)
    return found[-1].key, key.log_key, now + AHEAD


def begin(path: Path, key: Key, since: datetime) -> None:
    """From `since` on this key signs; what was signed before is verified with the keys before."""
    text = periods_file(path).read_text("utf-8")
    _replace(periods_file(path), f"{text}{write_time(since)} {key.vkey()}\n")


def retire(path: Path, now: datetime) -> list[Key]:
    """Destroy the secret halves of all keys whose period is over; their public ones and their periods stay."""
    gone = []
    for number, period in enumerate(periods(path)):
        file = _file(path, number)
        if period.until is not None and period.until + AHEAD <= now and file.exists():
            file.unlink()
            gone.append(period.key)
    return gone


def _file(path: Path, number: int) -> Path:
    return path if number == 0 else path.with_name(f"{path.stem}-{number + 1}{path.suffix}")


def _publish(path: Path, key: SigningKey) -> None:
    public, text = public_file(path), f"{key.log_key.vkey()}\n"
    if not public.exists() or public.read_text("utf-8") != text:
        public.write_text(text, "utf-8")


def _replace(path: Path, text: str) -> None:
    partial = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    partial.write_text(text, "utf-8")
    partial.replace(path)


def main() -> int:
    """0 when it was done."""
    if len(sys.argv) != 3 or sys.argv[1] not in ("list", "rotate", "retire"):
        sys.stderr.write(f"{__doc__}")
        return 2
    path, now = Path(sys.argv[2]), datetime.now(UTC)
    if sys.argv[1] == "rotate":
        _, key, since = prepare(path, now)
        begin(path, key, since)
    elif sys.argv[1] == "retire":
        retire(path, now)
    sys.stdout.write(Signers(path).published())
    return 0


if __name__ == "__main__":
    sys.exit(main())
