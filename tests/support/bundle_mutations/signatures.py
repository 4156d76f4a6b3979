"""Changes to checkpoints and their signatures."""

from __future__ import annotations

from collections.abc import Callable

import made_bundles as made
from bundle_mutations.table import Files, flip, mutation
from guichet_verify.checkpoints import Checkpoint
from guichet_verify.notes import Note, SigningKey, read_note, sign_note


def renoted(level: int, name: str, change: Callable[[Note], Note | bytes], number: int = 0) -> None:
    def mutate(files: Files) -> Files:
        new = change(read_note(files[f"logs/{number}/checkpoint"]))
        return {**files, f"logs/{number}/checkpoint": new if isinstance(new, bytes) else new.write()}

    mutation(level, name)(mutate)


def resigned(text: bytes, *keys: SigningKey) -> bytes:
    return sign_note(
        text, [key.sign(text) for key in keys] + [key.cosign(text, made.TIME) for key in (made.ONE, made.TWO)]
    )


STRANGER, NEIGHBOUR, SAME_NAME = (
    made.signing_key(name, name + " again") for name in ("stranger.example", "made.example/aud", made.NAME)
)

renoted(
    1,
    "the log's signature is damaged",
    lambda note: note._replace(signatures=(note.signatures[0]._replace(value=bytes(64)), *note.signatures[1:])),
)
renoted(
    1,
    "a witness's signature is damaged",
    lambda note: note._replace(signatures=(*note.signatures[:2], note.signatures[2]._replace(value=bytes(72)))),
)
renoted(
    1,
    "a witness's time is changed",
    lambda note: note._replace(
        signatures=(*note.signatures[:2], note.signatures[2]._replace(value=flip(note.signatures[2].value, 7)))
    ),
)
renoted(1, "the size is changed", lambda note: note._replace(text=note.text.replace(b"\n600\n", b"\n601\n")))
renoted(1, "the root is changed", lambda note: note._replace(text=Checkpoint(made.LARGE.origin, 600, bytes(32)).text()))
renoted(1, "signed by a stranger", lambda note: resigned(note.text, STRANGER))
renoted(1, "signed by a log whose name is almost this one", lambda note: resigned(note.text, NEIGHBOUR))
renoted(1, "signed by another key of the log's name", lambda note: resigned(note.text, SAME_NAME))
renoted(1, "signed by witnesses alone", lambda note: resigned(note.text))
renoted(1, "signed for another size than the manifest's", lambda note: made.note_of(made.LARGE.checkpoint(599)))
renoted(1, "signed for another log of the same key", lambda note: made.note_of(made.SMALL.checkpoint()))
renoted(1, "an extension line, well signed", lambda note: resigned(note.text + b"more\n", made.KEY))
renoted(1, "two lines, well signed", lambda note: resigned(b"\n".join(note.text.split(b"\n")[:2]) + b"\n", made.KEY))
renoted(
    1,
    "a size with a leading zero, well signed",
    lambda note: resigned(note.text.replace(b"\n600\n", b"\n0600\n"), made.KEY),
)
renoted(1, "65 signatures", lambda note: note._replace(signatures=note.signatures + note.signatures[:1] * 62))
renoted(1, "a note without its last newline", lambda note: note.write()[:-1])
renoted(1, "a note without signatures", lambda note: note.text)
renoted(1, "a note with a line that is no signature", lambda note: note.write() + b"hello\n")
renoted(1, "a note that is no text", lambda note: b"\xff" + note.write())
renoted(
    1,
    "the second log's note is bad",
    lambda note: note._replace(text=Checkpoint(made.SMALL.origin, 700, bytes(32)).text()),
    1,
)
renoted(4, "one witness is missing", lambda note: note._replace(signatures=note.signatures[:2]))
renoted(4, "both witnesses are missing", lambda note: note._replace(signatures=note.signatures[:1]), 1)
renoted(
    4,
    "one witness signed twice",
    lambda note: sign_note(note.text, [made.KEY.sign(note.text), *(made.ONE.cosign(note.text, at) for at in (1, 2))]),
)
