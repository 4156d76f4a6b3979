"""The invariants of decisions, over worlds nobody wrote: any catalogue, any dossier, any history, any day."""

import json
from dataclasses import replace
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any

from hypothesis import assume, event, given, settings
from hypothesis import strategies as st

from compliance.assessment import Assessment, assess
from compliance.case import Case, Item
from compliance.legal_settings import DEFAULT
from compliance.rules.european_routes import european_routes
from compliance.rules.french_routes import FRENCH_ROUTES
from compliance.whereabouts import PLACED
from contracts import registry
from imagined import PARIS, World, at, worlds
from imagined_acts import FUNCTIONS
from imagined_dossiers import EXPRESS
from imagined_views import IDENTITY, examples, facts, seen
from written_law import ARTICLES, DAY, PERIODS, counted
from written_routes import route

SETTLED = {"START_ALLOWED", "GRANTED", "DEEMED_GRANTED", "PARTIALLY_GRANTED", "REFUSED", "LAPSED", "CONVERTED"}
SETTLED |= {"ANSWERED", "WITHDRAWN"}
days = st.integers(0, 900)


def citations(node: object) -> list[str]:
    """Every citation anywhere in JSON."""
    if isinstance(node, dict):
        own = [node["citation"]] if node.get("citation") is not None else []
        return own + [found for value in node.values() for found in citations(value)]
    return [found for value in node for found in citations(value)] if isinstance(node, list) else []


@given(worlds())
@examples
def test_whatever_is_legal_is_assessed_and_every_word_of_it_cites_the_law(world: World) -> None:
    shown = seen(world)
    event(f"outcome {shown.outcome}")
    output = shown.as_json()

    for member in ("reasons", "missing", "conditions", "actions", "alternatives"):
        for entry in output[member]:  # type: ignore[attr-defined]  # JSON
            assert entry["code"] and entry["citation"]
    assert set(citations(json.loads(json.dumps(output)))) <= ARTICLES
    assert {deadline.citation for deadline in shown.deadlines} <= ARTICLES
    assert set(citations(facts(world, None, shown))) <= ARTICLES
    if shown.outcome in ("REFUSED", "REFUSAL_PROPOSED", "NOT_AUTHORISED", "BLOCKED", "LAPSED"):
        assert [found for found in shown.reasons if found.code != "ROUTE_APPLIES"]


@given(worlds())
@examples
def test_a_refusal_is_in_the_public_register(world: World) -> None:
    shown = seen(world)
    entries = [fact for fact in facts(world, None, shown) if fact["type"].startswith("register.")]
    assert [entry["outcome"] for entry in entries] == [shown.outcome]
    assert (entries[0]["decision_kind"] == "refusal") == (shown.outcome == "REFUSED")


@given(worlds())
@examples
def test_a_case_is_judged_where_its_data_stand(world: World) -> None:
    said = sorted(world.raw["history"], key=lambda item: datetime.fromisoformat(item["at"]))
    known = [item for item in said if datetime.fromisoformat(item["at"]).astimezone(PARIS).date() <= world.day]
    places = [place for item in known if (place := item["data"].get(PLACED.get(item["type"], "")))]
    environment = seen(world).environment
    if places and environment is not None:
        event("judged where it was put")
        assert environment.environment_id == places[-1]
    assert not {item.type for item in world.case.history} & set(PLACED), "no pack has to know of places"


@given(worlds())
@examples
def test_what_is_imagined_is_legal_on_the_wire(world: World) -> None:
    for said in world.raw["history"]:
        kind = registry.FACTS.get(f"guichet.{said['type']}")
        if kind is not None and said["type"] not in ("request.submitted.v1", "request.completed.v1"):
            kind.read(json.dumps({"request_id": IDENTITY, **said["data"]}))


@given(worlds())
@examples
def test_the_route_is_the_one_of_the_written_tables(world: World) -> None:
    submission = world.case.history[0]
    alone = world.telling((submission,))
    shown = seen(world, submission.on, alone)
    if shown.outcome == "REFUSAL_PROPOSED":
        assert (shown.route, shown.alternatives) == (None, ())
        return

    name, article, left = route(world.raw["dossier"], world.catalogue, submission.on.isoformat())
    assert (shown.route, shown.citation) == (name, article)
    assert list(map(tuple, shown.alternatives)) == left
    assert shown.rule_pack == ("eu-2029.1" if submission.on >= date(2029, 3, 26) else "fr-2026.1")


@given(worlds())
@examples
def test_every_period_shown_is_the_one_a_clerk_counts(world: World) -> None:
    for deadline in seen(world).deadlines:
        row = PERIODS[deadline.step]
        assert deadline.due == counted(deadline.step, deadline.starts, deadline.extended), deadline
        assert deadline.citation == row.article
        assert not (deadline.extended and not row.more_months)
        assert (deadline.state == "running") <= (world.day <= deadline.due)
        assert (deadline.state == "elapsed") <= (world.day > deadline.due)
        assert deadline.silence == row.silence or (deadline.step, deadline.silence) == (
            "authority_decision",
            "deemed-granted",
        )


@given(worlds(honest=True))
@examples
def test_a_period_is_extended_by_one_act_in_time_at_most(world: World) -> None:
    known = world.case.known_on(world.day)
    shown = seen(world)
    for deadline in shown.deadlines:
        row = PERIODS[deadline.step]
        plain = counted(deadline.step, deadline.starts)
        asked = [
            item
            for item in known
            if item.type == "period.extended.v1"
            and item.data["step"] == deadline.step
            and deadline.starts <= item.on <= plain
            and (item.data["reasons_given"] or not row.needs_reasons)
        ]
        assert deadline.due >= plain
        if deadline.extended:
            assert asked and row.more_months
    codes = [found.code for found in shown.reasons]
    if "EXTENSION_ALREADY_USED" in codes:
        assert any(deadline.extended for deadline in shown.deadlines)


def decision_in_time(world: World, since: date, due: date, hour: int) -> Item:
    day = since + (due - since) // 2
    return Item(
        at(max(day, since + DAY), hour), "decision.issued.v1", {"body": "CNIL", "verdict": "refused", "by": ["n"]}
    )


@given(worlds(silent=True, acts=5), st.integers(0, 23))
@examples
def test_silence_grants_only_with_express_favourable_opinions_and_when_all_of_the_period_is_over(
    world: World, hour: int
) -> None:
    """Invariant 2, and what each of its conditions is worth: without it there is no grant."""
    shown = seen(world)
    assume(shown.outcome in ("DEEMED_GRANTED", "NOT_AUTHORISED"))
    (period,) = [deadline for deadline in shown.deadlines if deadline.step == "authority_decision"]
    event(str(shown.outcome))
    assert shown.regime == "FR" and world.day > period.due and period.state == "elapsed"
    assert period.due == counted("authority_decision", period.starts, period.extended)
    known = world.case.known_on(world.day)
    assert not [
        item
        for item in known
        if item.type == "decision.issued.v1" and item.data["body"] == "CNIL" and period.starts < item.on <= period.due
    ]
    last_day = seen(world, period.due)
    if not [item for item in known if item.on == period.due + DAY]:
        assert last_day.outcome is None and last_day.permit is None
    told = (*world.case.history, decision_in_time(world, period.starts, period.due, hour))
    assert seen(world, case=world.telling(told)).outcome == "REFUSED"

    riph = world.raw["dossier"]["research_type"].startswith("riph")
    needs_none = world.raw["dossier"]["creates_warehouse"] and not riph
    grants = needs_none or _express(world, known, "CPP" if riph else "CESREES", period.due)
    assert (shown.outcome == "DEEMED_GRANTED") == grants
    if shown.outcome == "DEEMED_GRANTED":
        assert period.silence == "deemed-granted"
        assert shown.permit is not None and shown.permit.kind == "deemed-authorisation"
        assert shown.permit.issued_on == period.due + DAY
        assert ("SILENCE_GRANTS", "LIL:66-V", None) in shown.reasons
    else:
        assert period.silence == "not-authorised" and shown.permit is None


def _express(world: World, known: tuple[Item, ...], body: str, due: date) -> bool:
    """Whether the opinion that stood when the period ended was given in words and favourable."""
    given_ = [
        (item.on, item.at, item.data["verdict"])
        for item in known
        if item.type == "opinion.issued.v1" and item.data["body"] == body and item.on <= due
    ]
    if body == "CESREES":
        received = next(i for i in known if i.type == "file.received.v1" and i.data["body"] == "CESREES")
        step = "committee_opinion_urgent" if received.data.get("urgent") else "committee_opinion"
        run_on = [d for d in seen(world).deadlines if d.step == step]
        in_time = [
            entry for entry in given_ if run_on[0].starts <= entry[0] <= run_on[0].due and entry[1] > received.at
        ]
        return bool(in_time) and in_time[0][2] in EXPRESS
    versions = [world.raw["dossier"]["documents"]] + [
        item.data.get("documents", []) for item in known if item.type == "request.completed.v1"
    ]
    brought = [d for documents in versions for d in documents if d["code"] == "PRIOR_OPINIONS"]
    highest = max((d["version"] for d in brought), default=0)
    given_ += [
        (date.fromisoformat(d["opinion"]["date"]), world.case.history[0].at, d["opinion"]["verdict"])
        for d in brought
        if d["version"] == highest and d["opinion"]["body"] == body and d["opinion"]["date"] <= due.isoformat()
    ]
    return bool(given_) and max(given_, key=lambda entry: entry[0])[2] in EXPRESS


@given(worlds(regime="EU"))
@examples
def test_in_europe_silence_never_grants(world: World) -> None:
    shown = seen(world)
    assert shown.regime == "EU"
    assert shown.outcome not in ("DEEMED_GRANTED", "NOT_AUTHORISED")
    assert all(deadline.silence in ("none", "lapse", "authority-may-set-fee") for deadline in shown.deadlines)
    if shown.permit is not None:
        assert shown.permit.kind == "data-permit"
        granted = [
            item
            for item in world.case.known_on(world.day)
            if item.type == "decision.issued.v1" and item.data["verdict"] == "granted"
        ]
        assert shown.permit.issued_on in {item.on for item in granted}


@given(worlds())
@examples
def test_an_act_of_someone_who_may_not_act_is_as_if_it_had_not_happened(world: World) -> None:
    barred = _barred(world.case)
    shown = seen(world)
    without = seen(world, case=world.telling(tuple(item for item in world.case.history if item not in barred)))

    def result(assessment: Assessment) -> tuple[object, ...]:
        """All but the reason for it, and the instant of a permit's acts."""
        return (
            assessment.route,
            assessment.status,
            assessment.outcome,
            assessment.deadlines,
            assessment.datasets,
            assessment.permit,
            assessment.outputs,
            assessment.register,
        )

    assert result(shown) == result(without)
    told = [item for item in barred if item.on <= world.day]
    assert any(found.code == "ACT_BY_CONFLICTED_PERSON" for found in shown.reasons) == bool(told)


def _barred(case: Case) -> list[Item]:
    """Whose acts do not count, act by act: the permit's persons never check in these worlds."""
    barred: list[Item] = []
    for number, item in enumerate(case.history):
        earlier = [other for other in case.history[:number] if other not in barred]
        for person in item.data.get("by", ()):  # type: ignore[attr-defined]  # JSON
            declared = any(
                other.type == "interest.declared.v1" and other.data["person"] == person and other.at <= item.at
                for other in case.history
            )
            elsewhere = FUNCTIONS.get(item.type) and any(
                FUNCTIONS.get(other.type, FUNCTIONS[item.type]) != FUNCTIONS[item.type]
                and person in other.data.get("by", ())  # type: ignore[attr-defined]  # JSON
                for other in earlier
            )
            checks_own = (
                item.type == "output.checked.v1" and person.startswith("p-") and _has_access(case, item, person)
            )
            if declared or elsewhere or checks_own:
                barred.append(item)
                break
    return barred


def _has_access(case: Case, item: Item, person: str) -> bool:
    persons = {p.ref for p in case.dossier.persons}
    for other in case.history[: item.place]:
        if other.type == "permit.persons-updated.v1":
            persons = {p["ref"] for p in other.data["persons"]}  # type: ignore[attr-defined]  # JSON
    return person in persons


@given(worlds(), worlds(), st.integers(0, 400))
@examples
def test_no_later_history_changes_what_was_seen(world: World, other: World, days_later: int) -> None:
    """Invariant 12, with a whole other history told from the next day on."""
    start = other.case.history[0].on
    later = tuple(
        Item(item.at + (world.day - start) + DAY * (2 + days_later), item.type, item.data)
        for item in other.case.history[1:]
    )
    known = world.telling(world.case.known_on(world.day))

    assert seen(world, case=world.telling((*known.history, *later))) == seen(world, case=known) == seen(world)


@given(worlds(), st.randoms(use_true_random=False))
@examples
def test_repeats_and_the_order_of_arrival_change_nothing_even_at_one_instant(world: World, chance: Any) -> None:
    """Invariant 11: any order of arrival, but what was said at one instant stays in the order in which it was said."""
    together = tuple(replace(item, at=item.at.replace(hour=9)) for item in world.case.history[1:])
    case = world.telling((world.case.history[0], *together))
    waiting = [[item for item in case.history if item.at == instant] for instant in {i.at for i in case.history}]
    arrived: list[Item] = []
    while waiting:
        queue = chance.choice(waiting)
        arrived.append(queue.pop(0))
        if chance.random() < 0.4:
            arrived.append(chance.choice(arrived))
        waiting = [queue for queue in waiting if queue]

    assert seen(world, case=world.telling(tuple(arrived))) == seen(world, case=case)


@given(worlds(), st.lists(days, min_size=2, max_size=6))
@examples
def test_time_alone_settles_and_never_unsettles(world: World, later: list[int]) -> None:
    """From one day to a later one, nothing more being said, what is settled stays and what is over stays over."""
    case = world.telling(world.case.known_on(world.day))
    shown = [seen(world, world.day + timedelta(days=n), case) for n in sorted(later)]
    for earlier, after in pairwise(shown):
        if earlier.outcome in SETTLED - {"START_ALLOWED"}:
            assert after.outcome == earlier.outcome
        order = ["active", "suspended", "revoked", "expired", "closed"]
        if earlier.permit is not None and earlier.permit.kind != "declaration":
            assert after.permit is not None
            assert after.permit.issued_on == earlier.permit.issued_on
            assert after.permit.version == earlier.permit.version
            assert order.index(after.permit.status) >= order.index(earlier.permit.status)
        over = {(d.step, d.starts): d for d in earlier.deadlines if d.state != "running"}
        for deadline in after.deadlines:
            before = over.get((deadline.step, deadline.starts))
            if before is not None and deadline.due == before.due:
                assert deadline.state == before.state, (before, deadline)


@given(worlds())
@settings(examples, max_examples=examples.max_examples // 3)
def test_clocks_kept_day_by_day_end_as_clocks_computed_at_once(world: World) -> None:
    """Live: each thing said is decided when it is said, and each timer when it is due, one fact after another. What
    the facts add up to is what one assessment at the end shows."""
    live = Ledger()
    before: Assessment | None = None
    today = world.case.history[0].on
    waiting = list(world.case.known_on(world.day))
    told: list[Item] = []
    while True:
        while waiting and waiting[0].on <= today:
            told.append(waiting.pop(0))
            after = seen(world, today, world.telling(tuple(told)))
            live.write(facts(world, before, after))
            before = after
        after = seen(world, today, world.telling(tuple(told)))
        live.write(facts(world, before, after))
        before = after
        ahead = [day for day in (after.next_change, waiting[0].on if waiting else None) if day and day <= world.day]
        if not ahead:
            break
        today = min(ahead)

    at_once = seen(world)
    assert not before.differs_from(at_once)
    assert facts(world, before, at_once) == []
    assert live.outcome in (at_once.outcome, None) or at_once.outcome is None
    assert live.route == at_once.route
    running = {(d.step, d.starts): d.due for d in at_once.deadlines if d.state == "running"}
    assert running == live.running
    if at_once.permit is None:
        assert live.permit is None or live.permit["status"] != "active"
    else:
        permit = at_once.permit
        assert live.permit == {
            "version": permit.version,
            "expires_on": permit.expires_on.isoformat(),
            "persons": list(permit.persons),
            "datasets": list(permit.datasets),
            "status": permit.status,
        }
    entry = at_once.register
    assert live.register == (
        entry.application_due.isoformat(),
        entry.decision_due and entry.decision_due.isoformat(),
        entry.decision_kind,
        at_once.outcome,
    )


class Ledger:
    """What a reader of the facts believes, knowing nothing else."""

    def __init__(self) -> None:
        self.outcome: str | None = None
        self.route: str | None = None
        self.running: dict[tuple[str, date], date] = {}
        self.permit: dict[str, Any] | None = None
        self.register: tuple[Any, ...] | None = None

    def write(self, said: list[dict[str, Any]]) -> None:
        for fact in said:
            name = fact["type"].removesuffix(".v1")
            if name == "route.determined":
                self.route = fact.get("route")
            elif name.startswith("deadline."):
                key = (fact["step"], date.fromisoformat(fact["starts"]))
                if name in ("deadline.started", "deadline.extended"):
                    self.running[key] = date.fromisoformat(fact["due"])
                else:
                    self.running.pop(key, None)
            elif name.startswith("permit."):
                self._permit(name.removeprefix("permit."), fact)
            elif name.startswith("register."):
                self.register = tuple(
                    fact.get(member) for member in ("application_due", "decision_due", "decision_kind", "outcome")
                )
            elif "outcome" in fact:
                self.outcome = fact["outcome"]

    def _permit(self, verb: str, fact: dict[str, Any]) -> None:
        permit = self.permit or {"status": "active"}
        if verb in ("issued", "amended"):
            permit |= {
                "version": fact["version"],
                "persons": [person["ref"] for person in fact["persons"]],
                "datasets": [dataset["dataset_id"] for dataset in fact["datasets"]],
            }
        if verb in ("issued", "extended"):
            permit |= {"version": fact["version"], "expires_on": fact["expires_on"]}
        status = {"suspended": "suspended", "resumed": "active", "revoked": "revoked"}
        status |= {"expired": "expired", "closed": "closed"}
        self.permit = permit | {"status": status.get(verb, permit["status"])}


ROUTES = (*FRENCH_ROUTES, *european_routes((), False))
CONDITIONS = sorted({condition.code for row in ROUTES for condition in row.conditions})


@given(worlds(acts=2))
@settings(examples, max_examples=examples.max_examples // 6)
def test_a_condition_left_out_by_a_draft_fails_nowhere_and_stops_nobody(world: World) -> None:
    for code in CONDITIONS:
        draft = replace(DEFAULT, set_aside=frozenset({code}))
        shown = assess(world.case, world.day, world.reference, draft)
        assert code not in [left.code for left in shown.alternatives]
