"""The invariants of a permit's life, over worlds nobody wrote."""

from hypothesis import assume, event, given
from hypothesis import strategies as st

from compliance.assessment import Assessment
from compliance.case import Item
from compliance.held import remembering
from imagined import World, at, worlds
from imagined_views import examples, facts, seen
from written_law import ARTICLES, DAY


@given(worlds(granted=True, acts=3), st.data())
@examples
def test_an_amendment_there_and_back_leaves_the_permit_as_it_was(world: World, data: st.DataObject) -> None:
    before = seen(world)
    assume(before.permit is not None and before.permit.status == "active")
    assert before.permit is not None
    held = before.permit.datasets
    others = [entry["dataset_id"] for entry in world.catalogue["datasets"] if entry["dataset_id"] not in held]
    more = data.draw(st.lists(st.sampled_from(others), unique=True, max_size=3))
    fewer = data.draw(st.lists(st.sampled_from(held), unique=True, max_size=len(held) - 1))
    there = _amendment(world, 1, more, fewer)
    middle = seen(world, world.day + DAY, world.telling((*world.case.known_on(world.day), there)))
    assume(middle.permit is not None and middle.permit.status == "active")
    assert middle.permit is not None
    added = [d for d in middle.permit.datasets if d not in held]
    back = _amendment(world, 2, fewer, added)
    after = seen(world, world.day + 2 * DAY, world.telling((*world.case.known_on(world.day), there, back)))
    assume(after.permit is not None and after.permit.status == "active")
    assert after.permit is not None

    assert set(after.permit.datasets) - set(_not_addable(after)) == set(held) - set(_not_addable(after))
    for one, other in ((before, middle), (middle, after)):
        forth, home = _delta(world, one, other), _delta(world, other, one)
        assert forth == (home[1], home[0]), "the way back takes what the way there gave"


def _not_addable(shown: Assessment) -> list[str]:
    """Datasets that may not come back: the law that keeps them out holds for amendments too."""
    return [found.subject for found in shown.reasons if found.subject is not None]


def _amendment(world: World, days_later: int, added: list[str], removed: list[str]) -> Item:
    members = {"verdict": "granted", "add_datasets": added, "remove_datasets": removed, "by": ["amends"]}
    return Item(at(world.day + days_later * DAY), "amendment.decided.v1", members)


def _delta(world: World, one: Assessment, other: Assessment) -> tuple[set[str], set[str]]:
    amended = [fact for fact in facts(world, one, other) if fact["type"] == "permit.amended.v1"]
    return (
        {dataset for fact in amended for dataset in fact["datasets_added"]},
        {dataset for fact in amended for dataset in fact["datasets_removed"]},
    )


@given(worlds(granted=True, acts=4))
@examples
def test_a_permit_is_never_suspended_or_revoked_without_an_article(world: World) -> None:
    """Told one by one, as the service hears them: each suspension and revocation says why on its own day."""
    known = world.case.known_on(world.day)
    before: Assessment | None = None
    for count, item in enumerate(known, 1):
        after = remembering(before, seen(world, item.on, world.telling(known[:count])))
        for fact in facts(world, before, after):
            if fact["type"] in ("permit.suspended.v1", "permit.revoked.v1", "applicant.excluded.v1"):
                why = [reason for reason in fact["reasons"] if reason["code"] != "ROUTE_APPLIES"]
                assert why, fact
                assert {reason["citation"] for reason in why} <= ARTICLES
                event(f"{fact['type']} {why[0]['code']}")
        before = after


@given(worlds(granted=True))
@examples
def test_a_permit_is_extended_once_and_never_shortened(world: World) -> None:
    shown = seen(world)
    assume(shown.permit is not None)
    permit = shown.permit
    assert permit is not None
    asked = [i.data["months"] for i in world.case.known_on(world.day) if i.type == "permit.extension-requested.v1"]
    first = seen(
        world, case=world.telling(tuple(i for i in world.case.history if i.type != "extension.decided.v1"))
    ).permit
    assert first is not None
    assert permit.expires_on >= first.expires_on
    assert permit.months - first.months in (0, *asked)
