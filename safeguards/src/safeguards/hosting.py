"""The hosting gate: what an environment must prove on a day before data of some classes may be opened on it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta

EEA = frozenset(
    {
        *("AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IT", "LT", "LU"),
        *("LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK"),
        *("IS", "LI", "NO"),
    }
)
"""Countries of the European Economic Area, ISO 3166-1; the EEA counts as Union (EHDS:87(1), confidence: medium)."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """A dated proof: valid from `valid_from` to `valid_to`, both included, unless lost on an earlier day."""

    type: str
    issuer: str
    reference: str
    valid_from: date
    valid_to: date
    lost_on: date | None = None

    @property
    def name(self) -> tuple[str, str, str, date]:
        """What makes it this proof and no other."""
        return self.type, self.issuer, self.reference, self.valid_from

    def valid_on(self, day: date) -> bool:
        return self.valid_from <= day <= self.valid_to and (self.lost_on is None or day < self.lost_on)


@dataclass(frozen=True, slots=True)
class Environment:
    """A hosting environment as the evidence describes it, never its vendor's name."""

    environment_id: str
    operator: str
    storage_country: str
    controlling_jurisdiction: str
    adequacy: bool
    evidence: tuple[Evidence, ...]

    def holds(self, evidence_type: str, day: date) -> bool:
        """Whether one proof of this type is valid on the day."""
        return any(proof.type == evidence_type and proof.valid_on(day) for proof in self.evidence)

    def qualified(self, proof: Evidence) -> "Environment":
        """The environment with one more proof."""
        return self if proof in self.evidence else replace(self, evidence=(*self.evidence, proof))

    def registered_again(self, shown: "Environment") -> "Environment":
        """The environment as it presents itself anew: what it no longer shows is no longer counted on, and showing a
        lost proof again does not bring it back (only obtaining a qualification does)."""
        lost = {proof.name: proof for proof in self.evidence if proof.lost_on is not None}
        again = tuple(
            replace(proof, lost_on=lost.pop(proof.name).lost_on) if proof.name in lost else proof
            for proof in shown.evidence
        )
        return replace(shown, evidence=(*again, *lost.values()))

    def disqualified(self, evidence_type: str, day: date) -> "Environment":
        """The environment after every proof of this type was lost on the day."""
        return replace(
            self,
            evidence=tuple(
                replace(proof, lost_on=day)
                if proof.type == evidence_type and (proof.lost_on is None or proof.lost_on > day)
                else proof
                for proof in self.evidence
            ),
        )


@dataclass(frozen=True, slots=True)
class Need:
    """What is to be hosted: the dataset classes, for whom, under which regime (`FR` or `EU`)."""

    classes: frozenset[str]
    state_body: bool
    regime: str


@dataclass(frozen=True, slots=True)
class Criterion:
    """One criterion that applies to a need, and whether the environment meets it on the day."""

    code: str
    citation: str
    met: bool


@dataclass(frozen=True, slots=True)
class Rule:
    """A criterion of the gate: its code when it fails, its citation, to what it applies, what it demands."""

    code: str
    citation: str
    applies: Callable[[Need], bool]
    met: Callable[[Environment, date], bool]


def _every_dataset(need: Need) -> bool:
    return bool(need.classes)


def _snds(need: Need) -> bool:
    return "snds" in need.classes


def _snds_of_the_state(need: Need) -> bool:
    return need.state_body and "snds" in need.classes


def _european(need: Need) -> bool:
    return need.regime == "EU"


def _proof(evidence_type: str) -> Callable[[Environment, date], bool]:
    return lambda environment, day: environment.holds(evidence_type, day)


def _stored_in_the_eea(environment: Environment, day: date) -> bool:
    return environment.storage_country in EEA


def _controlled_in_the_eea(environment: Environment, day: date) -> bool:
    return environment.controlling_jurisdiction in EEA


def _stored_in_the_union_or_adequate(environment: Environment, day: date) -> bool:
    return environment.adequacy or environment.storage_country in EEA


RULES: tuple[Rule, ...] = (
    Rule("HDS_MISSING", "CSP:L1111-8", _every_dataset, _proof("HDS")),
    Rule("STORAGE_OUTSIDE_EEA", "D2026-209", _every_dataset, _stored_in_the_eea),
    Rule("SNDS_HOMOLOGATION_MISSING", "A2024-05-06", _snds, _proof("SNDS_HOMOLOGATION")),
    Rule("SECNUMCLOUD_MISSING", "SREN:31", _snds_of_the_state, _proof("SECNUMCLOUD")),
    Rule("NON_EU_CONTROL", "SREN:31", _snds_of_the_state, _controlled_in_the_eea),
    Rule("SPE_73_MISSING", "EHDS:73(1)", _european, _proof("SPE_73")),
    Rule("STORAGE_OUTSIDE_UNION", "EHDS:87(1)", _european, _stored_in_the_union_or_adequate),
)
"""The gate. French hosting rules are taken to hold in the EU regime too (confidence: medium)."""


def criteria(environment: Environment, need: Need, day: date) -> tuple[Criterion, ...]:
    """Every criterion that applies, met or not, in the order of the gate."""
    return tuple(
        Criterion(rule.code, rule.citation, rule.met(environment, day)) for rule in RULES if rule.applies(need)
    )


def findings(environment: Environment, need: Need, day: date) -> tuple[Criterion, ...]:
    """The criteria that fail on the day, all of them; empty when the environment is cleared."""
    return tuple(criterion for criterion in criteria(environment, need, day) if not criterion.met)


def days_of_change(proofs: Iterable[Evidence]) -> frozenset[date]:
    """The days on which the validity of some proof begins or is over: between two of them the gate cannot change."""
    days: set[date] = set()
    for proof in proofs:
        days.add(proof.valid_from)
        if proof.valid_to < date.max:
            days.add(proof.valid_to + timedelta(days=1))
        if proof.lost_on is not None:
            days.add(proof.lost_on)
    return frozenset(days)
