"""The fingerprint of what a decision rests on: equal inputs, equal hash, whoever computes it and when."""

import hashlib
import json
from dataclasses import asdict
from datetime import date

from compliance.case import Case
from compliance.packs import pack_for
from compliance.reference import Reference


def input_hash(case: Case, as_of: date, reference: Reference) -> str:
    """SHA-256, lower-case hex, over the dossier, what was known on the day, the reference data used, the settings and
    the rule pack, as JSON with sorted members."""
    items, submission = case.known_on(as_of), case.submission()
    dossier = case.dossier
    body = reference.permanent_bodies.get(dossier.applicant.organisation_id)
    datasets = [reference.datasets.get(dataset.dataset_id) for dataset in dossier.data.datasets]
    inputs = {
        "dossier": dossier.model_dump(mode="json", by_alias=True),
        "history": [{"at": item.at.timestamp(), "type": item.type, "data": item.data} for item in items],
        "as_of": as_of,
        "settings": [[name, value] for name, value in case.settings.overrides],
        "rule_pack": None if submission is None else pack_for(submission.on).name,
        "datasets": [None if dataset is None else asdict(dataset) for dataset in datasets],
        "permanent_body": None if body is None else {**asdict(body), "sources": sorted(body.sources)},
        "environments": [
            asdict(environment)
            for environment_id, environment in sorted(reference.environments.items())
            if environment_id == dossier.environment_id
        ],
    }
    text = json.dumps(inputs, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
