"""Words planted in every free-text field come out of no log, no metric and no error answer."""

from __future__ import annotations

import json
from pathlib import Path

import httpx

from dossiers import dossier, id_of
from guichet.publishing import clock_now
from guichet.stack.quiet import wait_quiet
from stacks import StartStack, post, submission

MARKER = "Zuzanna-Marqueur-4711"


def planted(reference: str) -> dict[str, object]:
    """A dossier whose every free text holds the marker."""
    made = dossier("F02a", reference, title=f"Study by {MARKER}")
    made["applicant"]["organisation"] = MARKER
    made["purpose"]["public_interest_statement"] = MARKER
    made["purpose"]["summary_fr"] = MARKER
    made["data"]["includes_opted_out"]["basis"] = MARKER
    return made


def written(home: Path) -> str:
    return "".join(
        file.read_text("utf-8", "replace") for file in (home / "logs").iterdir() if file.name.endswith(".log")
    )


async def test_a_marker_in_every_free_text_field_comes_out_nowhere(start_stack: StartStack) -> None:
    home, state = await start_stack()
    now = await clock_now(state)
    made = planted("MARKER-1")
    broken = planted("MARKER-2") | {
        "kind": MARKER,
        MARKER: MARKER,
        "requested_months": MARKER,
        "environment_id": MARKER,
    }
    answers = []
    async with httpx.AsyncClient(timeout=30) as client:
        answers.append(await post(client, state, submission(made, now)))
        answers.append(await post(client, state, submission(made | {"requested_months": 5}, now)))
        answers.append(await post(client, state, submission(broken, now)))
        answers.append(await post(client, state, {**submission(made, now), "source": f"/portals/{MARKER}"}))
        answers.append(await post(client, state, submission(made, now), token=MARKER))
        answers.append(await client.post(f"{state.services['intake'].url}/events", content=f'{{"{MARKER}"'))
        assert [answer.status_code for answer in answers] == [202, 409, 422, 403, 401, 401]
        await wait_quiet(state)
        metrics = [(await client.get(f"{url}/metrics")).text for url in state.service_urls()]
        statuses = [(await client.get(f"{url}/status")).text for url in state.service_urls()]
    assert id_of(made) in json.dumps(answers[0].json())
    for text in (*(answer.text for answer in answers), *metrics, *statuses, written(home)):
        assert MARKER not in text
