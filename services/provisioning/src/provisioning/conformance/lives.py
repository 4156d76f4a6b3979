"""Making, closing and destroying a workspace."""

from __future__ import annotations

from provisioning.conformance.suite import Failed, Trial, expect
from provisioning.environments import Refused


async def an_unknown_workspace_has_nothing(trial: Trial) -> None:
    """Of a workspace that never was, nothing is there, and taking it away is no error."""
    actual = await trial.environment.inspect(trial.workspace_id)
    expect(not actual.there and not actual.tables and not actual.logins, "something is there that was never made")
    expect(await trial.environment.manifests(trial.workspace_id) == (), "tables are there that were never made")
    await trial.environment.freeze(trial.order())
    await trial.environment.close(trial.order())
    deletion = await trial.environment.destroy(trial.order())
    expect(deletion.objects_left == 0, "objects are left of what never was")


async def a_new_workspace_is_empty_and_closed(trial: Trial) -> None:
    """A workspace is made empty and closed to everybody."""
    await trial.environment.prepare(trial.order())
    actual = await trial.environment.inspect(trial.workspace_id)
    expect(actual.there, "nothing was made")
    expect(not actual.tables and not actual.logins and not actual.sessions, "it is not empty")
    await trial.kept_out("person-a")


async def making_it_again_changes_nothing(trial: Trial) -> None:
    """Making a workspace that is there already changes nothing of it."""
    tables = await trial.made(opened=True)
    visit = await trial.visit("person-a")
    before = await trial.environment.inspect(trial.workspace_id)
    await trial.environment.prepare(trial.order())
    expect(await trial.environment.inspect(trial.workspace_id) == before, "making it again changed it")
    expect(await trial.environment.manifests(trial.workspace_id) == tables, "making it again changed tables")
    expect(await visit.count("set_one_records") == 20, "making it again ended a session")
    await visit.leave()


async def a_closed_workspace_lets_nobody_in(trial: Trial) -> None:
    """Closing ends every session and every way in for good, and keeps the data until their destruction."""
    tables = await trial.made(opened=True)
    visit = await trial.visit("person-a")
    await trial.environment.close(trial.order())
    expect(await visit.count("set_one_records") is None, "a session outlived the closing")
    for ref in ("person-a", "person-b"):
        await trial.kept_out(ref)
    expect(await trial.environment.manifests(trial.workspace_id) == tables, "closing changed the data")
    await trial.environment.close(trial.order())


async def destruction_leaves_nothing(trial: Trial) -> None:
    """After a destruction no table, no login and no session is found, and no row can be read."""
    tables = await trial.made(opened=True)
    visit = await trial.visit("person-a")
    await trial.environment.close(trial.order())
    deletion = await trial.environment.destroy(trial.order())
    expect(deletion.objects_left == 0, "objects are left")
    expect(await visit.count("set_one_records") is None, "a session outlived the destruction")
    actual = await trial.environment.inspect(trial.workspace_id)
    expect(not (actual.there or actual.tables or actual.logins or actual.sessions), "something is still there")
    expect(await trial.environment.manifests(trial.workspace_id) == (), "tables are still counted")
    for table in tables:
        try:
            async with trial.environment.read(trial.workspace_id, table.table):
                raise Failed("a table can still be read")
        except Refused:
            pass
    await trial.kept_out("person-a")


async def an_open_workspace_can_be_destroyed(trial: Trial) -> None:
    """A destruction does not depend on a closing before it: sessions end with it."""
    await trial.made(opened=True)
    visit = await trial.visit("person-b")
    await trial.environment.destroy(trial.order())
    expect(await visit.count("set_one_records") is None, "a session outlived the destruction")
    await trial.kept_out("person-b")


async def destroying_again_changes_nothing(trial: Trial) -> None:
    """Destroying what is gone already is confirmed again."""
    await trial.made()
    first = await trial.environment.destroy(trial.order())
    expect(await trial.environment.destroy(trial.order()) == first, "the second answer differs from the first")


async def a_destroyed_workspace_can_be_made_again(trial: Trial) -> None:
    """A workspace may come back to an environment it had left, as if it had never been there."""
    await trial.made(opened=True)
    await trial.environment.destroy(trial.order())
    await trial.environment.prepare(trial.order())
    actual = await trial.environment.inspect(trial.workspace_id)
    expect(actual.there and not actual.tables and not actual.logins, "what was destroyed came back with it")


ALL = (
    an_unknown_workspace_has_nothing,
    a_new_workspace_is_empty_and_closed,
    making_it_again_changes_nothing,
    a_closed_workspace_lets_nobody_in,
    destruction_leaves_nothing,
    an_open_workspace_can_be_destroyed,
    destroying_again_changes_nothing,
    a_destroyed_workspace_can_be_made_again,
)
