"""A holder that has not confirmed its description for twelve months is named on the next day, once (EHDS:60(3))."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

CATALOGUE = json.loads((Path(__file__).parents[2] / "cases" / "catalogue.json").read_text())["datasets"]
LYON = next(each for each in CATALOGUE if each["dataset_id"] == "biobank-lyon") | {"dataset_id": "biobank-new"}


async def overdue(desk: Any) -> list[dict[str, Any]]:
    async with desk.database.connection() as connection:
        rows = await connection.fetch(
            "SELECT body FROM chassis.facts WHERE key = $1 AND type = $2 ORDER BY event_id",
            LYON["dataset_id"],
            "guichet.dataset.check-overdue.v1",
        )
    return [json.loads(row["body"]) for row in rows]


async def test_the_alarm_comes_on_the_day_after_and_once(desk: Any) -> None:
    await desk.on("2029-04-03")
    await desk.describe(LYON)
    await desk.on("2030-04-03", "23:59")
    assert await overdue(desk) == [], "the last day is the holder's until midnight"
    await desk.on("2030-04-04", "00:00")
    (said,) = await overdue(desk)
    assert (said["described_on"], said["due"], said["on"]) == ("2029-04-03", "2030-04-03", "2030-04-04")
    assert (said["holder"], said["code"], said["citation"]) == (
        LYON["holder"],
        "DESCRIPTION_UNCONFIRMED",
        "EHDS:60(3)",
    )
    await desk.on("2032-01-01")
    assert len(await overdue(desk)) == 1


async def test_describing_again_is_the_check_and_the_next_year_begins(desk: Any) -> None:
    await desk.on("2029-04-03")
    await desk.describe(LYON)
    await desk.on("2030-03-01")
    await desk.describe(LYON)
    await desk.on("2031-03-01")
    assert await overdue(desk) == []
    await desk.on("2031-03-04")
    (said,) = await overdue(desk)
    assert said["due"] == "2031-03-03", "1 March 2031 is a Saturday"


async def test_a_dataset_that_is_withdrawn_is_checked_no_longer(desk: Any) -> None:
    await desk.on("2029-04-03")
    await desk.describe(LYON)
    await desk.on("2029-05-02")
    await desk.tell("dataset.withdrawn", {"dataset_id": LYON["dataset_id"]}, key=LYON["dataset_id"])
    await desk.on("2031-01-01")
    assert await overdue(desk) == []
