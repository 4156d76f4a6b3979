"""A portal that sends one dossier many times has made one request; another body under the same key is a conflict."""

import asyncio

import httpx

from dossiers import dossier, id_of
from guichet.publishing import clock_now
from guichet.stack.quiet import wait_quiet
from guichet.stack.state import StackState
from stacks import insist, post, query, submission

FACTS = "SELECT type, count(*) AS times FROM chassis.facts WHERE subject = $1 GROUP BY type"


async def said(state: StackState, request: str) -> dict[str, int]:
    return {row["type"]: row["times"] for row in await query(state, "intake", FACTS, request)}


async def test_fifty_at_once_are_one_request_with_fifty_equal_answers(standing: StackState) -> None:
    made = dossier("F02a", "FIFTY-1")
    now = await clock_now(standing)
    async with httpx.AsyncClient(timeout=60) as client:
        answers = await asyncio.gather(*(insist(client, standing, submission(made, now)) for _ in range(50)))
    assert {answer.status_code for answer in answers} == {202}, answers[0].text
    assert {answer.content for answer in answers} == {answers[0].content}
    assert answers[0].json()["request_id"] == id_of(made)
    await wait_quiet(standing)
    assert await said(standing, id_of(made)) == {"guichet.request.accepted.v1": 1}


async def test_another_body_is_answered_409_and_recorded_once(standing: StackState) -> None:
    made = dossier("F02a", "CONFLICT-1")
    now = await clock_now(standing)
    async with httpx.AsyncClient(timeout=60) as client:
        assert (await post(client, standing, submission(made, now))).status_code == 202
        changed = submission({**made, "requested_months": 7}, now)
        answers = [await post(client, standing, changed) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [409, 409, 409]
    assert answers[0].headers["content-type"] == "application/problem+json"
    await wait_quiet(standing)
    assert await said(standing, id_of(made)) == {
        "guichet.request.accepted.v1": 1,
        "guichet.submission.conflicted.v1": 1,
    }
