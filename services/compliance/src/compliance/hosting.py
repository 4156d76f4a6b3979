"""The start gate as seen on a day: the environment with its dated evidence, the persons who would have access."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from pydantic import ValidationError

from compliance.case import Item
from compliance.coded import Finding
from compliance.today import Today
from contracts.dossier import Person
from safeguards.hosting import Environment, Evidence, Need, days_of_change, findings

PERSON_NOT_HABILITATED = Finding("PERSON_NOT_HABILITATED", "CSP:L1461-3-I")
HOSTS_SAY = frozenset({"environment.registered.v1", "environment.qualified.v1", "environment.qualification-lost.v1"})


def environments_on(known: Mapping[str, Environment], items: Iterable[Item]) -> Mapping[str, Environment]:
    """The environments after what their hosts said in a history."""
    told = [item for item in items if item.type in HOSTS_SAY]
    if not told:
        return known
    environments = dict(known)
    for item in told:
        environment = _told(environments.get(item.word("environment_id")), item)
        if environment is not None:
            environments[environment.environment_id] = environment
    return environments


def _told(environment: Environment | None, item: Item) -> Environment | None:
    match item.type:
        case "environment.registered.v1":
            shown = environment_of(item.data)
            return shown if environment is None or shown is None else environment.registered_again(shown)
        case "environment.qualified.v1":
            proof = item.data.get("evidence")
            if environment is None or not isinstance(proof, Mapping):
                return None
            return environment.qualified(evidence_of(proof))
        case _:
            return None if environment is None else environment.disqualified(item.word("evidence"), item.on)


def environment_of(data: Mapping[str, object]) -> Environment | None:
    """An environment as its host registers it; None when a member is missing."""
    evidence = data.get("evidence")
    try:
        proofs = tuple(evidence_of(e) for e in evidence) if isinstance(evidence, list | tuple) else ()
        return Environment(
            environment_id=str(data["environment_id"]),
            operator=str(data["operator"]),
            storage_country=str(data["storage_country"]),
            controlling_jurisdiction=str(data["controlling_jurisdiction"]),
            adequacy=data["adequacy"] is True,
            evidence=proofs,
        )
    except KeyError:
        return None


def evidence_of(data: Mapping[str, object]) -> Evidence:
    """A proof as a host states it; raises KeyError or ValueError."""
    return Evidence(
        type=str(data["type"]),
        issuer=str(data["issuer"]),
        reference=str(data["reference"]),
        valid_from=date.fromisoformat(str(data["valid_from"])),
        valid_to=date.fromisoformat(str(data["valid_to"])),
    )


@dataclass(frozen=True, slots=True)
class Gate:
    """What has to hold before data are opened (CSP:L1111-8, SREN:31, EHDS:73(1), CSP:L1461-3-I)."""

    environment: Environment | None
    persons: tuple[Person, ...]
    need: Need

    def environment_findings(self, day: date) -> tuple[Finding, ...]:
        """What the environment lacks on a day; nothing while no environment is chosen."""
        if self.environment is None:
            return ()
        return tuple(Finding(f.code, f.citation) for f in findings(self.environment, self.need, day))

    def person_findings(self) -> tuple[Finding, ...]:
        """Who may not see SNDS data yet (CSP:L1461-3-I)."""
        if "snds" not in self.need.classes:
            return ()
        return tuple(
            PERSON_NOT_HABILITATED.about(person.ref)
            for person in self.persons
            if not (person.habilitated and person.confidentiality_signed)
        )

    def holds(self, day: date) -> bool:
        """Whether the gate is passed with the environment as on a day and the persons as now."""
        return not self.environment_findings(day) and not self.person_findings()

    def holds_now(self, today: Today) -> bool:
        """Whether the gate is passed today."""
        if self.environment is not None:
            today.watch(days_of_change(self.environment.evidence))
        return self.holds(today.day)


def persons_of(item: Item) -> tuple[Person, ...] | None:
    """The list a `permit.persons-updated.v1` brings; None when it has not the published shape."""
    persons = item.data.get("persons")
    if not isinstance(persons, list | tuple):
        return None
    try:
        return tuple(p if isinstance(p, Person) else Person.model_validate(p) for p in persons)
    except ValidationError:
        return None
