"""Working out a procedure: stops before routes, completions that still count, the applicant's withdrawal."""

from collections.abc import Iterable
from dataclasses import dataclass

from compliance.acts import Acts, who_may_act
from compliance.application import refuse_unknown_references
from compliance.case import Case, Item
from compliance.coded import Finding
from compliance.completeness import Version, completed
from compliance.european import decide_in_europe
from compliance.french import decide_in_france
from compliance.hosting import Gate, environments_on, persons_of
from compliance.legal_settings import Law
from compliance.look import Look
from compliance.procedure import REFUSAL_PROPOSED, REFUSED, Procedure
from compliance.reference import Reference
from compliance.refusals import OFFER_NATIONAL_ROUTE, Standing, every_dataset_excluded, standing_stops
from compliance.rules.european_routes import scope
from compliance.steps import after
from compliance.today import Today
from contracts.dossier import Dossier, Person
from safeguards.hosting import Need

ONLY_COSTS_INCURRED = Finding("ONLY_COSTS_INCURRED", "EHDS:62(5)")
CHANGES = frozenset({"request.completed.v1", "completeness.objected.v1", "request.withdrawn.v1"})


@dataclass(frozen=True, slots=True)
class Known:
    """A case as known on a day: acts that count and those set aside, every version of the dossier, persons by place."""

    case: Case
    acts: Acts
    versions: tuple[Version, ...]
    persons: dict[int, tuple[Person, ...]]
    reference: Reference
    law: Law
    regime: str

    def look(self, counting: Iterable[Version], today: Today, before: Item | None = None) -> Look:
        """A look at the case on a day, up to an item, with the versions of the dossier that count."""
        items, latest = self.acts.counting, self.versions[-1].dossier
        if before is not None:
            items = tuple(item for item in items if item.place < before.place)
            latest = next(v.dossier for v in reversed(self.versions) if v.item.place < before.place)
        versions = tuple(counting)
        persons = next(
            self.persons[place] for place in reversed(self.persons) if before is None or place < before.place
        )
        environments = environments_on(self.reference.environments, items)

        def gate(dossier: Dossier) -> Gate:
            classes = frozenset(
                self.reference.datasets[dataset.dataset_id].dataset_class for dataset in dossier.data.datasets
            )
            environment = None if dossier.environment_id is None else environments.get(dossier.environment_id)
            return Gate(environment, persons, Need(classes, dossier.applicant.state_body, self.regime))

        now = gate(latest)
        named = versions[-1].dossier
        return Look(
            submission=self.versions[0].item,
            items=items,
            versions=versions,
            persons_at_first=named.persons,
            reference=self.reference,
            law=self.law,
            regime=self.regime,
            today=today,
            gate=now,
            gate_then=now if named is latest else gate(named),
        )


def known(case: Case, submission: Item, items: tuple[Item, ...], reference: Reference, law: Law, regime: str) -> Known:
    """Put in order what is known; raises CaseError for references nobody knows and completions without shape."""
    environments = environments_on(reference.environments, items)
    if environments is not reference.environments:
        reference = Reference(reference.datasets, reference.permanent_bodies, environments)
    refuse_unknown_references(case.dossier, reference)
    versions = [Version(submission, case.dossier)]
    persons: dict[int, tuple[Person, ...]] = {submission.place: case.dossier.persons}
    for item in after(items, submission):
        before = versions[-1].dossier
        if item.type == "request.completed.v1":
            dossier = completed(before, item)
            if dossier.data != before.data or dossier.environment_id != before.environment_id:
                refuse_unknown_references(dossier, reference)
            if dossier.persons != before.persons:
                persons[item.place] = dossier.persons
            versions.append(Version(item, dossier))
        elif item.type == "completeness.objected.v1":
            versions.append(Version(item, before))
        elif item.type == "permit.persons-updated.v1":
            named = persons_of(item)
            if named is not None:
                persons[item.place] = named
    with_access = {place: frozenset(p.ref for p in listed) for place, listed in persons.items()}
    return Known(case, who_may_act(items, with_access), tuple(versions), persons, reference, law, regime)


def proceed(known: Known, today: Today) -> tuple[Look, Procedure]:
    """The procedure as it stands on a day, and the look it was worked out from.

    A completion or an objection counts while nothing is settled; a withdrawal while there is no outcome, and then
    everything stays as it was that day.
    """
    counting = [known.versions[0]]
    versions = {version.item.place: version for version in known.versions}
    for item in after(known.acts.counting, known.versions[0].item):
        if item.type not in CHANGES:
            continue
        then = procedure(known.look(counting, Today(item.on), item))
        if item.type == "request.withdrawn.v1":
            if not then.has_outcome:
                then.withdraw()
                if known.regime == "EU":
                    then.conditions.append(ONLY_COSTS_INCURRED)
                return known.look(counting, today), then
        elif not then.settled:
            counting.append(versions[item.place])
    look = known.look(counting, today)
    return look, procedure(look)


def procedure(look: Look) -> Procedure:
    """Stops first, then the route."""
    standing = standing_stops(look)
    if standing.stops:
        return _stopped(look, standing)
    return decide_in_france(look, standing) if look.regime == "FR" else decide_in_europe(look, standing)


def _stopped(look: Look, standing: Standing) -> Procedure:
    """A refusal is proposed; a person confirms it or sets its reasons aside."""
    shown = Procedure(stopped_by_rule=True)
    shown.reasons.extend(standing.stops)
    if every_dataset_excluded(look, standing.ignored):
        shown.actions.append(OFFER_NATIONAL_ROUTE)
    if look.regime == "EU":
        left = scope(look.application, standing.ignored)
        shown.reasons.extend(left.reasons)
        open_now = "pending" if standing.confirmed_by is None else "refused"
        shown.datasets = dict.fromkeys(left.excluded, "excluded") | dict.fromkeys(left.remaining, open_now)
    if standing.confirmed_by is None:
        shown.decide(REFUSAL_PROPOSED, "awaiting_confirmation")
        shown.actions.append(Finding("CONFIRM_REFUSAL", standing.stops[0].citation))
    else:
        shown.decide(REFUSED)
        shown.last_decision = standing.confirmed_by.on
    return shown
