"""What a portal sent, read: the command it amounts to, or everything that is wrong with it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pydantic import JsonValue, ValidationError

from contracts import portals
from contracts.dossier import Dossier, read_dossier
from contracts.facts import Fact
from contracts.registry import short
from intake.commands import Command, Complete, Notify, Submit, Withdraw
from intake.dates import impossible_dates
from intake.dossiers import Completion
from intake.problems import Problem, in_order
from intake.references import Named, named_datasets, named_in
from intake.shapes import read_object, shape_problems, text_problems

PORTALS: Final = "/portals/"
LARGEST_DATA: Final = 192 * 1024
"""Bytes of data in one event of a portal: a fact repeats a dossier, and must itself stay below 256 KiB."""

LARGEST_REVISION: Final = 2**53 - 1
"""The largest whole number that every reader of JSON keeps exactly (RFC 8259 section 6)."""

_REFERENCE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")

SUBMITTED: Final = portals.RequestSubmitted.event_type

NOTICES: Final[Mapping[str, type[Fact]]] = {
    kind.event_type: kind
    for kind in (
        portals.RequestAuthorityChosen,
        portals.RequestConversionAgreed,
        portals.PermitPersonsUpdated,
        portals.PermitTermsAccepted,
        portals.PermitAmendmentRequested,
        portals.PermitExtensionRequested,
        portals.PermitProcessingCompleted,
        portals.PermitResultsPublished,
        portals.OutputRequested,
        portals.FindingReported,
        portals.AppealLodged,
    )
}
"""What a portal may say that intake passes on without a decision of its own, by full type."""

HEARD: Final[Mapping[str, type[Fact]]] = {
    SUBMITTED: portals.RequestSubmitted,
    portals.RequestCompleted.event_type: portals.RequestCompleted,
    portals.RequestWithdrawn.event_type: portals.RequestWithdrawn,
    **NOTICES,
}
"""Every type of event that portals may send."""


@dataclass(frozen=True, slots=True)
class Submission:
    """A dossier as far as it could be read; the three that identify it are None where they could not."""

    portal: str | None
    portal_reference: str | None
    revision: int | None
    dossier: Dossier | None
    problems: tuple[Problem, ...]
    named: Named


def speaker(source: str) -> str | None:
    """The portal that a source names, or None when it names none."""
    name = source.removeprefix(PORTALS)
    return name if name != source and _REFERENCE.fullmatch(name) else None


def read_submission(data: bytes) -> Submission:
    """A dossier with every fault of its text, shape and dates; raises `Unreadable` for other than JSON.

    Whether what it refers to exists is the domain's business.
    """
    sent = read_object(data)
    problems = list(text_problems(sent))
    inside = sent.get("dossier")
    if not isinstance(inside, dict):
        problems.append(Problem("wrong-type" if "dossier" in sent else "missing-member", "/dossier"))
        return Submission(None, None, None, None, in_order(problems), Named())
    problems += impossible_dates(inside, "/dossier")
    dossier = None
    try:
        dossier = read_dossier(inside)
    except ValidationError as error:
        problems += shape_problems(error, under=("dossier",))
    if type(revision := inside.get("revision")) is int and revision > LARGEST_REVISION:
        problems.append(Problem("out-of-range", "/dossier/revision"))
    return Submission(
        _reference(inside.get("portal")),
        _reference(inside.get("portal_reference")),
        _revision(revision),
        None if problems else dossier,
        in_order(problems),
        named_in(inside, "/dossier"),
    )


def submit(submission: Submission, data: bytes, said_at: datetime) -> Submit | None:
    """The command of a submission, or None when it does not even say which request it is about."""
    if submission.portal is None or submission.portal_reference is None or submission.revision is None:
        return None
    return Submit(
        portal=submission.portal,
        portal_reference=submission.portal_reference,
        revision=submission.revision,
        dossier=submission.dossier,
        problems=submission.problems,
        named=submission.named,
        data_sha256=hashlib.sha256(data).hexdigest(),
        said_at=said_at,
    )


def read_addition(kind: type[Fact], portal: str, data: bytes, said_at: datetime) -> Command | tuple[Problem, ...]:
    """The command of any event but a submission, or every fault of its text and shape.

    Raises `Unreadable` for other than JSON. Unknown members are let through, as in every event of a foreign party; of
    what is passed on only known ones are kept.
    """
    sent = read_object(data)
    problems = list(text_problems(sent))
    try:
        fact = kind.read(data)
    except ValidationError as error:
        problems += shape_problems(error)
    if problems:
        return in_order(problems)
    data_sha256 = hashlib.sha256(data).hexdigest()
    match fact:
        case portals.RequestCompleted():
            return _complete(fact, portal, data_sha256, said_at)
        case portals.RequestWithdrawn():
            return Withdraw(portal, said_at)
        case portals.PermitAmendmentRequested():
            return _notify(fact, portal, named_datasets(fact.add_datasets, "/add_datasets"), data_sha256, said_at)
        case _:
            return _notify(fact, portal, Named(), data_sha256, said_at)


def _complete(fact: portals.RequestCompleted, portal: str, data_sha256: str, said_at: datetime) -> Complete:
    brought: dict[str, JsonValue] = json.loads(fact.wire())
    problems = impossible_dates({"documents": brought["documents"]}, "") + impossible_dates(fact.set, "/set")
    if not fact.documents and not fact.set:
        problems.append(Problem("nothing-to-complete", ""))
    return Complete(
        portal=portal,
        completion=Completion(fact.documents, fact.set),
        problems=in_order(problems),
        named=named_in(fact.set, "/set"),
        data_sha256=data_sha256,
        said_at=said_at,
    )


def _notify(fact: Fact, portal: str, named: Named, data_sha256: str, said_at: datetime) -> Notify:
    return Notify(portal, short(fact.event_type), json.loads(fact.wire()), named, data_sha256, said_at)


def _reference(value: JsonValue) -> str | None:
    return value if isinstance(value, str) and _REFERENCE.fullmatch(value) else None


def _revision(value: JsonValue) -> int | None:
    return value if type(value) is int and 1 <= value <= LARGEST_REVISION else None
