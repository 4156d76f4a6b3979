"""Orders that come late, twice at once, or before what they build upon."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

from provisioning.conformance.suite import Failed, Trial, expect
from provisioning.environments import Order, Refused, Superseded, Trouble


async def an_older_order_is_refused(trial: Trial) -> None:
    """Whoever comes back with an older lease than the newest seen changes nothing."""
    old = trial.order()
    tables = await trial.made(opened=True)
    visit = await trial.visit("person-a")
    environment = trial.environment
    late: tuple[Awaitable[object], ...] = (
        environment.freeze(old),
        environment.close(old),
        environment.admit(old, ["person-c"], trial.until, True),
        environment.drop(old, ["set-one"]),
        environment.remove(old, frozenset({"subject-1"}), tables, trial.key),
        environment.destroy(old),
    )
    for order in late:
        try:
            await order
        except Superseded:
            continue
        raise Failed("an older order was carried out")
    expect(await visit.count("set_one_records") == 20, "a session ended")
    expect(await environment.manifests(trial.workspace_id) == tables, "tables changed")
    await visit.leave()


async def the_same_lease_may_go_on(trial: Trial) -> None:
    """Several orders under one lease are carried out one after the other."""
    order = trial.order()
    await trial.environment.prepare(order)
    await trial.environment.admit(order, ["person-a"], trial.until, False)
    await trial.environment.freeze(order)
    expect((await trial.environment.inspect(trial.workspace_id)).there, "nothing is there")


async def an_order_before_its_time_makes_nothing(trial: Trial) -> None:
    """Opening, or admitting to, a workspace that was never made is refused and makes none."""
    environment = trial.environment
    early: tuple[Awaitable[object], ...] = (
        environment.open(trial.order(), ()),
        environment.connect(trial.workspace_id, "person-a", trial.until),
    )
    for order in early:
        try:
            await order
        except (Refused, Trouble):
            continue
        raise Failed("an order before its time was carried out")
    actual = await environment.inspect(trial.workspace_id)
    expect(not actual.tables and not any(login.enters for login in actual.logins), "something was made")


async def of_two_orders_at_once_the_newer_counts(trial: Trial) -> None:
    """Two workers at the same time end in the state that the newer lease asked for."""
    tables = await trial.made(opened=True)
    older, newer = trial.order(), trial.order()
    await asyncio.gather(
        trial.environment.open(older, tables), _unless_superseded(trial, newer), return_exceptions=True
    )
    await trial.environment.freeze(Order(trial.workspace_id, newer.fence, newer.occasion))
    try:
        await trial.environment.open(older, tables)
        raise Failed("the older order was carried out after the newer")
    except Superseded:
        pass
    await trial.kept_out("person-a")


async def _unless_superseded(trial: Trial, order: Order) -> None:
    await trial.environment.freeze(order)


ALL = (
    an_older_order_is_refused,
    the_same_lease_may_go_on,
    an_order_before_its_time_makes_nothing,
    of_two_orders_at_once_the_newer_counts,
)
