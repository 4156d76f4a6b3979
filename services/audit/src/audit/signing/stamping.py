"""Timestamp tokens over checkpoints (RFC 3161): once an hour for each log that grew, by an authority a setting names.

Nothing waits for an authority: a checkpoint is signed and published without a token, and gains it later.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
import urllib.request
from dataclasses import dataclass
from http.client import HTTPException

from rfc3161_client import HashAlgorithm, TimestampRequestBuilder, decode_timestamp_response

from audit.signing.state import SIGNING, SignerState
from chassis.logs import logger
from chassis.supervision import wait_until
from guichet_verify.checkpoints import read_checkpoint
from guichet_verify.members import TOKEN_LIMIT
from guichet_verify.notes import read_note
from guichet_verify.timestamps import TokenCheck

EVERY_SECONDS = 3600.0
LOOK_SECONDS = 30.0
SECONDS = 10.0

log = logger(component="signer")


class NotStamped(Exception):
    """The authority gave no token that can be kept; the text says why."""


@dataclass(frozen=True, slots=True)
class Authority:
    """Where to ask, and what its answers are checked with."""

    url: str
    check: TokenCheck

    def stamp(self, text: bytes) -> bytes:
        """The authority's answer over the SHA-256 of `text`, verified; raises NotStamped."""
        asked = TimestampRequestBuilder().data(text).hash_algorithm(HashAlgorithm.SHA256).build()
        headers = {"Content-Type": "application/timestamp-query", "Accept": "application/timestamp-reply"}
        request = urllib.request.Request(self.url, asked.as_bytes(), headers)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=SECONDS) as response:
                answer: bytes = response.read(TOKEN_LIMIT + 1)
        except (OSError, HTTPException) as error:
            raise NotStamped("the authority does not answer") from error
        if len(answer) > TOKEN_LIMIT:
            raise NotStamped("an answer of more than 64 KiB")
        if (reason := self.check.refuses(answer, hashlib.sha256(text).digest())) is not None:
            raise NotStamped(reason)
        if decode_timestamp_response(answer).tst_info.nonce != asked.nonce:
            raise NotStamped("the answer to another question")
        return answer


async def stamp_due(authority: Authority, state: SignerState, every: float = EVERY_SECONDS) -> int:
    """Stamps each log that was signed at another size since its last token, an interval ago or more; how many.

    Raises NotStamped at the first that the authority leaves without.
    """
    done = 0
    for signed in state.all():
        last = state.stamped(signed.origin)
        if signed.state != SIGNING or not signed.note:
            continue
        text = read_note(signed.note.encode()).text
        checkpoint = read_checkpoint(text)
        if last is not None and (last.size == checkpoint.size or time.time() - last.stamped_at < every):
            continue
        token = await asyncio.to_thread(authority.stamp, text)
        state.keep_token(checkpoint.origin, checkpoint.size, checkpoint.root, signed.note, token)
        done += 1
    return done


async def stamp_for_ever(authority: Authority, state: SignerState, stopping: asyncio.Event, every: float) -> None:
    """Until `stopping` is set; an authority that does not answer is an alarm, and asked again."""
    while not await wait_until(stopping, LOOK_SECONDS):
        try:
            await stamp_due(authority, state, every)
        except NotStamped as error:
            log.error("checkpoint_not_stamped", reason=str(error))
