"""Amendments of a permit: datasets come and go with a decision, and the resolver runs again first (EHDS:68(13))."""

from compliance.application import Application
from compliance.case import Item
from compliance.coded import Finding
from compliance.look import Look
from compliance.reference import CatalogueDataset
from compliance.rules.european_routes import CATEGORY_NOT_YET_APPLICABLE, HOLDER_EXEMPT, applicable_categories
from compliance.rules.french_routes import french_routes
from compliance.rules.stops import FRENCH_STOPS, stops
from contracts.dossier import Dataset, Dossier


def amended(
    look: Look, item: Item, datasets: tuple[str, ...], route: str | None
) -> tuple[tuple[str, ...], tuple[Finding, ...]]:
    """The datasets of a permit after a granted amendment, and why some of those asked for did not come in.

    `route` is the one the permit rests on where a declaration is enough: then what is added has to fit it.
    """
    removed = frozenset(item.words("remove_datasets"))
    kept = tuple(dataset_id for dataset_id in datasets if dataset_id not in removed)
    refused: list[Finding] = []
    for dataset_id in item.words("add_datasets"):
        entry = look.reference.datasets.get(dataset_id)
        if entry is None or dataset_id in datasets or dataset_id in kept:
            continue
        failure = _failure_in_europe(look, entry) if look.regime == "EU" else _failure_in_france(look, entry, route)
        if failure is None:
            kept = (*kept, dataset_id)
        else:
            refused.append(failure.about(dataset_id))
    return kept, tuple(refused)


def _failure_in_europe(look: Look, entry: CatalogueDataset) -> Finding | None:
    if entry.holder_exempt:
        return HOLDER_EXEMPT
    if not applicable_categories(entry.categories, look.submission.on):
        return CATEGORY_NOT_YET_APPLICABLE
    return None


def _failure_in_france(look: Look, entry: CatalogueDataset, route: str | None) -> Finding | None:
    """A stop that the dossier with this dataset runs into, or the condition of the declaration's route that fails."""
    widened = look.application_of(_with(look.dossier, entry))
    before = stops(look.application, FRENCH_STOPS)
    stop = next((found for found in stops(widened, FRENCH_STOPS) if found not in before), None)
    return stop or _leaves(widened, route)


def _leaves(widened: Application, route: str | None) -> Finding | None:
    chosen = next((each for each in french_routes(widened) if each.name == route), None)
    failure = None if chosen is None else chosen.first_failure(widened)
    return None if failure is None else Finding(failure.code, failure.citation)


def _with(dossier: Dossier, entry: CatalogueDataset) -> Dossier:
    asked = dossier.data.datasets
    added = Dataset.model_validate(
        {
            "dataset_id": entry.dataset_id,
            "version": entry.version,
            "source": entry.source,
            "holder": entry.holder,
            "categories": entry.categories,
            "years": asked[0].years,
        }
    )
    return dossier.model_copy(update={"data": dossier.data.model_copy(update={"datasets": (*asked, added)})})
