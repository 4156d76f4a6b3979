"""The witness: cosigns a checkpoint when it extends the last one and is what the witness itself read."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence

from guichet_verify.checkpoints import Checkpoint
from guichet_verify.notes import Key, SigningKey
from guichet_witness.follow import Follower
from guichet_witness.protocol import Held, Refused, check_extends, read_submission
from guichet_witness.state import State

WAIT_SECONDS = 1.0
"""How long a checkpoint is waited for that the witness has not read so far."""

log = logging.getLogger("guichet.witness")


class Witness:
    """Answers submissions. One at a time: check and store are one step."""

    def __init__(self, key: SigningKey, logs: Sequence[Key], state: State, follower: Follower | None) -> None:
        self._key = key
        self._logs = tuple(logs)
        self._state = state
        self._follower = follower
        self._one = asyncio.Lock()

    async def add_checkpoint(self, body: bytes) -> str:
        """The cosignature line for a submission, on record before it is returned; raises Refused."""
        submission = read_submission(body, self._logs)
        checkpoint = submission.checkpoint
        async with self._one:
            held = self._state.held(checkpoint.origin)
            check_extends(submission, held)
            if self._follower is not None and await self._own_root(self._follower, checkpoint) != checkpoint.root:
                log.error("checkpoint refused: not what was read: %s size %d", checkpoint.origin, checkpoint.size)
                raise Refused(422, "another root was read from the broker")
            if not self._state.cosign(checkpoint.origin, held, Held(checkpoint.size, checkpoint.root)):
                raise Refused(409, "another size is held", self._state.held(checkpoint.origin).size)
        return self._key.cosign(checkpoint.text(), int(time.time())).line()

    async def _own_root(self, follower: Follower, checkpoint: Checkpoint) -> bytes:
        """The root that the witness read at this size; raises Refused with 503 when it has not read so far."""
        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            reading = self._state.reading(checkpoint.origin)
            root = self._state.root_at(reading, checkpoint.size) if reading else None
            if root is not None:
                return root
            left = deadline - time.monotonic()
            if left <= 0:
                raise Refused(503, "not read so far")
            try:
                async with asyncio.timeout(min(left, 0.1)), follower.grown:
                    await follower.grown.wait()
            except TimeoutError:
                continue
