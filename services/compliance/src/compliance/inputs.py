"""The fingerprint of what a decision rests on: equal inputs, equal hash, whoever computes it and when."""

import hashlib
import json
from dataclasses import asdict
from datetime import date

from compliance.case import Case
from compliance.legal_settings import DEFAULT, Settings
from compliance.packs import pack_for
from compliance.reference import Reference
from compliance.testimony import datasets_named, environments_named


def input_hash(case: Case, as_of: date, reference: Reference, settings: Settings = DEFAULT) -> str:
    """SHA-256, lower-case hex, over the dossier, what was known on the day, the reference data named by it, the
    settings of the case and of the deployment, and the rule pack, as JSON with sorted members."""
    items, submission = case.known_on(as_of), case.submission()
    dossier = case.dossier
    body = reference.permanent_bodies.get(dossier.applicant.organisation_id)
    datasets = {name: reference.datasets.get(name) for name, _ in datasets_named(case, as_of)}
    environments = {name: reference.environments.get(name) for name in environments_named(case, as_of)}
    inputs = {
        "dossier": dossier.model_dump(mode="json", by_alias=True),
        "history": [{"at": item.at.timestamp(), "type": item.type, "data": item.data} for item in items],
        "as_of": as_of,
        "settings": [[name, value] for name, value in case.settings.overrides],
        "law": [[name, value] for name, value in settings.overrides],
        "rule_pack": None if submission is None else pack_for(submission.on).name,
        "datasets": {name: None if found is None else asdict(found) for name, found in datasets.items()},
        "permanent_body": None if body is None else {**asdict(body), "sources": sorted(body.sources)},
        "environments": {name: None if found is None else asdict(found) for name, found in environments.items()},
    }
    text = json.dumps(inputs, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
