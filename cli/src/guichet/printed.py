"""The checkpoint printed on a permit: whoever holds the paper is a witness of the trail at that size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx

from guichet_verify.checkpoints import Checkpoint, read_checkpoint
from guichet_verify.notes import read_note

PERMITS = ("guichet.permit.issued.", "guichet.permit.amended.", "guichet.permit.extended.")


def printed_on(client: httpx.Client, event: Mapping[str, Any]) -> str | None:
    """`origin size root` of the newest checkpoint of the log that holds a permit; None before it is signed there.

    `client` speaks with the audit service, `event` is one of a story. None for every other event.
    """
    if not str(event["type"]).startswith(PERMITS):
        return None
    place = event["recorded"][0]
    try:
        answer = client.get(f"/{place['origin']}/checkpoint")
        if answer.status_code != httpx.codes.OK:
            return None
        found: Checkpoint = read_checkpoint(read_note(answer.content).text)
    except (httpx.HTTPError, ValueError):
        return None
    return " ".join(found.text().decode().split()) if found.size > place["index"] else None
