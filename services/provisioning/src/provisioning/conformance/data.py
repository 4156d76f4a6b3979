"""Tables: what is sent is what is there, and what is taken away is gone."""

from __future__ import annotations

from collections.abc import AsyncIterator

from provisioning.conformance.lines import Value, line_of, row_of
from provisioning.conformance.suite import COLUMNS, Trial, expect, manifest_of
from provisioning.environments import Refused, Rows, Trouble

DIFFICULT: tuple[Value, ...] = (
    None,
    "",
    " ",
    "plain",
    'a "quoted" word',
    "back\\slash",
    "\\N",
    "tab\there",
    "line\nbreak",
    "return\r",
    "(a,b)",
    "œuvre — 漢字 🙂",
    "x" * 5000,
)


async def a_table_has_the_manifest_of_what_was_sent(trial: Trial) -> None:
    """Rows and digest of a table are those of the rows that were sent, also when it is counted later."""
    await trial.environment.prepare(trial.order())
    sent = manifest_of("set-one", "set_one_records", trial.rows(1500))
    expect(await trial.load("set-one", "set_one_records", trial.rows(1500)) == sent, "the manifest differs")
    expect(await trial.environment.manifests(trial.workspace_id) == (sent,), "the manifest differs when asked again")
    expect((await trial.environment.inspect(trial.workspace_id)).tables == {"set_one_records": "set-one"}, "not listed")


async def difficult_values_survive(trial: Trial) -> None:
    """Nulls, empty texts, quotes, control characters and letters of any script come back as they were sent."""
    await trial.environment.prepare(trial.order())
    rows = [[f"{n:032x}", str(2000 + n), value] for n, value in enumerate(DIFFICULT)]
    table = await trial.load("set-one", "set_one_records", rows)
    expect(table == manifest_of("set-one", "set_one_records", rows), "the manifest differs")
    expect(sorted(await _read(trial, "set_one_records"), key=str) == sorted(rows, key=str), "a value was changed")


async def an_empty_table_is_a_table(trial: Trial) -> None:
    """A table without rows is there, with the manifest of nothing."""
    await trial.environment.prepare(trial.order())
    table = await trial.load("set-one", "set_one_records", [])
    expect(table == manifest_of("set-one", "set_one_records", []), "the manifest differs")
    expect(await _read(trial, "set_one_records") == [], "rows came from nowhere")


async def the_order_of_rows_does_not_count(trial: Trial) -> None:
    """The same rows in another order have the same manifest; two equal rows count twice."""
    await trial.environment.prepare(trial.order())
    rows = [*trial.rows(10), trial.rows(10)[3]]
    first = await trial.load("set-one", "set_one_records", rows)
    second = await trial.load("set-one", "set_one_records", rows[::-1])
    expect(first == second and first.rows == 11, "the manifest depends on the order")


async def loading_again_replaces(trial: Trial) -> None:
    """A table that is loaded again holds the new rows only; other tables are as they were."""
    before = await trial.made()
    again = await trial.load("set-one", "set_one_records", trial.rows(7))
    found = {table.table: table for table in await trial.environment.manifests(trial.workspace_id)}
    expect(found["set_one_records"] == again and again.rows == 7, "old rows are left")
    expect(found["set_two_records"] == before[1], "another table changed")


async def a_load_that_breaks_off_changes_nothing(trial: Trial) -> None:
    """A load that ends in the middle leaves the table as it was before."""
    before = await trial.made()

    async def broken() -> AsyncIterator[bytes]:
        for row in trial.rows(50):
            yield line_of(row) + b"\n"
        raise ConnectionResetError

    try:
        await trial.environment.load(trial.order(), "set-one", "set_one_records", Rows(COLUMNS, broken()))
    except (Refused, Trouble, ConnectionResetError):
        pass  # Said by the environment, or let through: what is left behind counts.
    else:
        expect(False, "half a table was taken for a whole one")
    expect(await trial.environment.manifests(trial.workspace_id) == before, "half a load is left")


async def a_table_can_be_read_out(trial: Trial) -> None:
    """Every row of a table can be read, to be copied to another environment."""
    await trial.environment.prepare(trial.order())
    await trial.load("set-one", "set_one_records", trial.rows(1500))
    rows = await _read(trial, "set_one_records")
    expect(sorted(rows, key=str) == sorted(trial.rows(1500), key=str), "the rows differ")


async def a_dataset_is_dropped_and_others_stay(trial: Trial) -> None:
    """Dropping a dataset takes its tables and nothing else, and may be repeated."""
    before = await trial.made(opened=True)
    visit = await trial.visit("person-a")
    for _ in range(2):
        await trial.environment.drop(trial.order(), ["set-two", "set-never"])
        expect(await trial.environment.manifests(trial.workspace_id) == before[:1], "not exactly one dataset went")
    expect(await visit.count("set_two_records") is None, "a session still sees it")
    expect(await visit.count("set_one_records") == 20, "a session no longer sees the other")
    await visit.leave()


async def persons_are_taken_out_of_the_data(trial: Trial) -> None:
    """Rows about persons who object go, by their pseudonyms in this project; all others stay."""
    tables = await trial.made(opened=True)
    gone = frozenset({"subject-3", "subject-17", "subject-of-nobody"})
    left = [trial.rows(20)[n] for n in range(20) if n not in (3, 17)]
    expected = (
        manifest_of("set-one", "set_one_records", left),
        manifest_of("set-two", "set_two_records", [trial.rows(5)[n] for n in (0, 1, 2, 4)]),
    )
    for _ in range(2):
        after = await trial.environment.remove(trial.order(), gone, tables, trial.key)
        expect(after == expected, "not exactly these persons went")
    visit = await trial.visit("person-a")
    expect(await visit.count("set_one_records") == 18, "a session sees other rows")
    await visit.leave()


async def _read(trial: Trial, table: str) -> list[list[Value]]:
    async with trial.environment.read(trial.workspace_id, table) as rows:
        text = b"".join([chunk async for chunk in rows.chunks])
    return [row_of(line) for line in text.split(b"\n")[:-1]]


ALL = (
    a_table_has_the_manifest_of_what_was_sent,
    difficult_values_survive,
    an_empty_table_is_a_table,
    the_order_of_rows_does_not_count,
    loading_again_replaces,
    a_load_that_breaks_off_changes_nothing,
    a_table_can_be_read_out,
    a_dataset_is_dropped_and_others_stay,
    persons_are_taken_out_of_the_data,
)
