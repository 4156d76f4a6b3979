"""A look at a case: what is known on a day, already in order and rid of acts that do not count."""

from collections.abc import Iterable
from dataclasses import dataclass

from compliance.application import Application
from compliance.case import Item
from compliance.completeness import Version
from compliance.hosting import Gate
from compliance.legal_settings import Law
from compliance.reference import Reference
from compliance.today import Today
from contracts.dossier import Dossier, Person


@dataclass(frozen=True, slots=True)
class Look:
    """What a procedure is worked out from.

    `items` are the acts that count, in order; `versions` the submission, completions and objections that count for
    the procedure; `persons_at_first` the persons its dossier names; `gate` the start gate with the environment and
    persons of the moment, `gate_then` the one with the environment named while the procedure was open.
    """

    submission: Item
    items: tuple[Item, ...]
    versions: tuple[Version, ...]
    persons_at_first: tuple[Person, ...]
    reference: Reference
    law: Law
    regime: str
    today: Today
    gate: Gate
    gate_then: Gate

    @property
    def dossier(self) -> Dossier:
        """The dossier the procedure is about."""
        return self.versions[-1].dossier

    @property
    def application(self) -> Application:
        """The dossier beside what the rules need."""
        return self.application_of(self.dossier)

    def application_of(self, dossier: Dossier) -> Application:
        """Another version of the dossier, seen the same way."""
        return Application(dossier, self.submission.on, self.reference, self.law)

    def version_before(self, item: Item) -> Version:
        """The version of the dossier an act was about."""
        return next(v for v in reversed(self.versions) if v.item.place <= item.place)

    def said(self, item_type: str) -> Iterable[Item]:
        """The acts of a type, in order."""
        return (item for item in self.items if item.type == item_type)
