"""A dossier beside what the rules need to judge it: its day of submission, the reference data, the law in force."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from compliance.legal_settings import Law
from compliance.problems import CaseError, Problem
from compliance.reference import CatalogueDataset, Reference
from contracts.dossier import Dossier
from safeguards.hosting import EEA

SNDS_SOURCES = frozenset({"SNDS_MAIN", "SNDS_SAMPLE", "PMSI_ATIH"})


@dataclass(frozen=True, slots=True)
class Application:
    """What a rule looks at. `submitted` is a local date."""

    dossier: Dossier
    submitted: date
    reference: Reference
    law: Law

    def entry(self, dataset_id: str) -> CatalogueDataset:
        """The catalogue's description of a dataset; known, since unknown ones are refused at the door."""
        return self.reference.datasets[dataset_id]

    def entries(self) -> Iterator[CatalogueDataset]:
        """The catalogue's descriptions of the datasets asked for."""
        return (self.entry(dataset.dataset_id) for dataset in self.dossier.data.datasets)

    def has_snds(self) -> bool:
        """Whether one dataset is of class `snds` in the catalogue."""
        return any(entry.dataset_class == "snds" for entry in self.entries())

    def without_snds(self) -> bool:
        """No SNDS dataset and no SNDS source that the data are matched with."""
        linkage = self.dossier.data.linkage
        return not self.has_snds() and (linkage is None or SNDS_SOURCES.isdisjoint(linkage.with_))

    def every_source(self, source: str) -> bool:
        """Whether every dataset is of this source."""
        return all(dataset.source == source for dataset in self.dossier.data.datasets)

    def lab_committed(self) -> bool:
        """Processed by a laboratory committed to the order of 17 July 2017 and independent (A2017-07-17)."""
        lab = self.dossier.lab
        return lab is not None and lab.committed_2017_07_17 and lab.independent

    def claims_public_interest(self) -> bool:
        """A statement of public interest is there and not blank."""
        statement = self.dossier.purpose.public_interest_statement
        return statement is not None and bool(statement.strip())

    def public_body(self) -> bool:
        """A public sector body or an institution of the Union."""
        applicant = self.dossier.applicant
        return applicant.public_sector_body or applicant.kind == "union_institution"

    def in_the_eea(self) -> bool:
        """The applicant's main establishment is in the European Economic Area."""
        return self.dossier.applicant.country in EEA

    def purposes_within(self, purposes: frozenset[str]) -> bool:
        """Every purpose is among these."""
        return purposes.issuperset(self.dossier.purpose.ehds_purposes)


def refuse_unknown_references(dossier: Dossier, reference: Reference) -> None:
    """Raise CaseError naming every dataset and environment of the dossier that the reference data do not know."""
    problems = [
        Problem("unknown-dataset", f"/dossier/data/datasets/{at}/dataset_id", "a dataset of the catalogue is expected")
        for at, dataset in enumerate(dossier.data.datasets)
        if dataset.dataset_id not in reference.datasets
    ]
    if dossier.environment_id is not None and dossier.environment_id not in reference.environments:
        problems.append(
            Problem("unknown-environment", "/dossier/environment_id", "a registered hosting environment is expected")
        )
    if problems:
        raise CaseError(problems)
