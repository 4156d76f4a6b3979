"""What each decision rests on is kept, so that it can be made again to the same bytes, whatever was said since about
earlier days."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from asyncpg import Connection

from compliance import storage
from compliance.assessment import Assessment
from compliance.case import Case
from compliance.files import File, Law, item_of, refer
from compliance.inputs import input_hash
from compliance.reference import Reference
from compliance.released import assess
from compliance.storage import DecisionRow
from compliance.testimony import Testimony
from contracts import compliance as said
from contracts.dossier import Dossier
from contracts.facts import Fact

RESTING: Final = (said.RouteDetermined, said.RequestDecided, said.PermitIssued)
"""The facts that name the hash of the inputs they rest on."""


@dataclass(frozen=True, slots=True)
class Again:
    """A decision made again: the hashes of its inputs and of its assessment, then and now."""

    then: DecisionRow
    input_hash: str
    output_hash: str

    @property
    def same(self) -> bool:
        return (self.input_hash, self.output_hash) == (self.then.input_hash, self.then.output_hash)

    def as_json(self) -> dict[str, object]:
        """The decision, what it rests on, and whether it comes out the same."""
        then = self.then
        return {
            "as_of": then.as_of.isoformat(),
            "facts": list(then.facts),
            "rule_pack": then.rule_pack,
            "input_hash": then.input_hash,
            "output_hash": then.output_hash,
            "rests_on": {"said": then.said, "descriptions": list(then.descriptions), "hosts": list(then.hosts)},
            "made_again": {"input_hash": self.input_hash, "output_hash": self.output_hash, "same": self.same},
        }


def output_hash(assessment: Assessment) -> str:
    """SHA-256, lower-case hex, of what `guichet assess` prints, as JSON with sorted members."""
    text = json.dumps(assessment.as_json(), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


async def record(
    connection: Connection, file: File, case: Case, assessment: Assessment, digest: str, facts: Iterable[Fact]
) -> None:
    """Keep what the facts said now rest on; nothing when none of them is a decision."""
    types = tuple(fact.event_type for fact in facts if isinstance(fact, RESTING))
    if not types:
        return
    descriptions, hosts = file.testimony.positions(case, assessment.as_of)
    row = DecisionRow(
        request_id=file.request_id,
        as_of=assessment.as_of,
        facts=types,
        rule_pack=assessment.rule_pack,
        input_hash=digest,
        output_hash=output_hash(assessment),
        said=len(file.items),
        descriptions=tuple(descriptions),
        hosts=tuple(hosts),
    )
    await storage.add_decision(connection, row)


async def decide_again(connection: Connection, request_id: str, law: Law) -> list[Again]:
    """Every decision on a request, made again from what it rested on then."""
    case_row = await storage.read_case(connection, request_id)
    if case_row is None or case_row.dossier is None:
        return []
    dossier = Dossier.model_validate_json(case_row.dossier)
    heard = [item_of(each) for each in await storage.items_as_heard(connection, request_id)]
    made: list[Again] = []
    for row in await storage.decisions(connection, request_id):
        file = File(request_id, dossier, heard[: row.said], None, Reference({}, law.permanent_bodies, {}))
        await refer(connection, [file])
        file.testimony = _only(file.testimony, row)
        case = file.case()
        assert case is not None
        made.append(_again(row, case, file.reference_on(case, row.as_of), law))
    return made


def _again(row: DecisionRow, case: Case, reference: Reference, law: Law) -> Again:
    assessment = assess(case, row.as_of, reference, law.settings)
    return Again(row, input_hash(case, row.as_of, reference, law.settings), output_hash(assessment))


def _only(testimony: Testimony, row: DecisionRow) -> Testimony:
    datasets = {
        dataset_id: kept
        for dataset_id, described in testimony.datasets.items()
        if (kept := tuple(each for each in described if each.position in row.descriptions))
    }
    hosts = tuple(hosted for hosted in testimony.hosts if hosted.position in row.hosts)
    return Testimony(datasets, hosts)
