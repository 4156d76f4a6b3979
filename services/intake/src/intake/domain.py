"""What the window answers to a portal and what it notes: one pure decision for both doors.

A request is identified by (portal, portal_reference); a submission by these and its revision. The window never judges
the law: it keeps what it accepted, refuses to overwrite it, and passes on in order what the portal said.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeAlias, assert_never

from contracts.dossier import Dossier
from intake.commands import Command, Complete, Notify, Submit, Withdraw
from intake.dossiers import Completion, changed_members, completed, new_documents, with_documents
from intake.files import (
    Accepted,
    Closed,
    Conflicted,
    File,
    Kept,
    Noted,
    Open,
    Rejected,
    Revised,
    State,
    Step,
    Unheard,
    Withdrawn,
)
from intake.problems import Problem, in_order
from intake.references import Known, unknown

GONE = Problem("request-withdrawn", "")


@dataclass(frozen=True, slots=True)
class Received:
    """Taken in, now or when the same thing came before: the answer is the same."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """There is no such request yet; what came waits for its submission."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """Another body is on file under this key."""


@dataclass(frozen=True, slots=True)
class TurnedAway:
    """Not taken in, for all of these reasons."""

    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class Foreign:
    """The request belongs to another portal."""


Answer: TypeAlias = Received | Waiting | Conflict | TurnedAway | Foreign


@dataclass(frozen=True, slots=True)
class Decision:
    """An answer for whoever brought something, and what is new because of it: nothing, when it came before."""

    answer: Answer
    steps: tuple[Step, ...] = ()


def decide(state: State, command: Command, known: Known) -> Decision:
    """What the window answers and notes. Pure and total; deciding the same again notes nothing and answers the same."""
    if not isinstance(state, Unheard) and state.file.portal != command.portal:
        return Decision(Foreign())
    match command:
        case Submit():
            return _submission(state, command, known)
        case Complete():
            return _completion(state, command, known)
        case Withdraw():
            return _withdrawal(state, command)
        case Notify():
            return _notice(state, command, known)
        case _:
            assert_never(command)


def evolve(state: State, step: Step) -> State:
    """The state after a step. Total: a step that does not belong to the state leaves it as it is."""
    match state, step:
        case Unheard(rejected), Accepted(kept, _):
            dossier = kept.dossier
            return Open(File(dossier.portal, dossier.portal_reference, dossier, (kept,), rejected=rejected))
        case Unheard(rejected), Rejected():
            return Unheard((*rejected, step))
        case Unheard(), _:
            return state
        case Open(file), Withdrawn():
            return Closed(file)
        case Open(file), _:
            return Open(_filed(file, step))
        case Closed(file), _:
            return Closed(_filed(file, step))
        case _:
            assert_never(state)


def _filed(file: File, step: Step) -> File:
    match step:
        case Revised():
            submissions = file.submissions if step.kept is None else (*file.submissions, step.kept)
            return replace(file, dossier=step.dossier, submissions=submissions, additions=(*file.additions, step))
        case Noted():
            return replace(file, notices=(*file.notices, step))
        case Conflicted():
            return replace(file, conflicts=(*file.conflicts, step))
        case Rejected():
            return replace(file, rejected=(*file.rejected, step))
        case Accepted() | Withdrawn():
            return file
        case _:
            assert_never(step)


def _submission(state: State, command: Submit, known: Known) -> Decision:
    rejected = state.rejected if isinstance(state, Unheard) else state.file.rejected
    kept = None if isinstance(state, Unheard) else state.file.submission(command.revision)
    if kept is not None and _same(kept, command):
        return Decision(Received())
    if command.dossier is None:
        return _turn_away(rejected, command, (*command.problems, *unknown(command.named, known)))
    if not isinstance(state, Unheard):
        if kept is not None or command.revision < state.file.latest.revision:
            return _conflict(state.file, kept or state.file.latest, command)
        if isinstance(state, Closed):
            return _turn_away(rejected, command, (GONE,))
    if problems := unknown(command.named, known):
        return _turn_away(rejected, command, problems)
    if isinstance(state, Unheard):
        accepted = Accepted(Kept(command.revision, command.data_sha256, command.dossier), command.said_at)
        return Decision(Received(), (accepted,))
    return _later_revision(state.file, command, command.dossier)


def _same(kept: Kept, command: Submit) -> bool:
    """Whether a submission repeats one on file: the same bytes, or else the same dossier written differently."""
    return kept.data_sha256 == command.data_sha256 or kept.dossier == command.dossier


def _conflict(file: File, kept: Kept, command: Submit) -> Decision:
    step = Conflicted(command.revision, kept.data_sha256, command.data_sha256)
    return Decision(Conflict(), () if step in file.conflicts else (step,))


def _later_revision(file: File, command: Submit, dossier: Dossier) -> Decision:
    documents = new_documents(file.dossier, dossier.documents)
    step = Revised(
        revision=command.revision,
        said_at=command.said_at,
        documents=documents,
        changes=changed_members(file.dossier, dossier),
        dossier=with_documents(dossier, file.dossier.documents, documents),
        kept=Kept(command.revision, command.data_sha256, dossier),
    )
    return Decision(Received(), (step,))


def _completion(state: State, command: Complete, known: Known) -> Decision:
    if isinstance(state, Unheard):
        return Decision(Waiting())
    file, completion = state.file, command.completion
    if _completed_before(file, command.said_at, completion):
        return Decision(Received())
    if isinstance(state, Closed):
        return _turn_away_addition(file, command, (GONE,))
    dossier = completed(file.dossier, completion)
    problems = [*command.problems, *unknown(command.named, known)]
    if not isinstance(dossier, Dossier):
        return _turn_away_addition(file, command, (*problems, *dossier))
    if problems:
        return _turn_away_addition(file, command, problems)
    said = (completion.documents, completion.changes)
    return Decision(Received(), (Revised(file.latest.revision, command.said_at, *said, dossier, kept=None),))


def _completed_before(file: File, said_at: datetime, completion: Completion) -> bool:
    """Whether the same was said at the same instant: what is said is counted once, by content."""
    return any(
        (addition.said_at, addition.documents, addition.changes) == (said_at, completion.documents, completion.changes)
        for addition in file.additions
        if addition.kept is None
    )


def _withdrawal(state: State, command: Withdraw) -> Decision:
    match state:
        case Unheard():
            return Decision(Waiting())
        case Open():
            return Decision(Received(), (Withdrawn(command.said_at),))
        case Closed():
            return Decision(Received())
        case _:
            assert_never(state)


def _notice(state: State, command: Notify, known: Known) -> Decision:
    if isinstance(state, Unheard):
        return Decision(Waiting())
    step = Noted(command.notice, command.data, command.said_at)
    if step in state.file.notices:
        return Decision(Received())
    if problems := unknown(command.named, known):
        return _turn_away_addition(state.file, command, problems)
    return Decision(Received(), (step,))


def _turn_away(before: tuple[Rejected, ...], command: Submit, problems: Iterable[Problem]) -> Decision:
    key = (command.portal, command.portal_reference, command.revision)
    step = Rejected(*key, in_order(problems), command.data_sha256)
    return Decision(TurnedAway(step.problems), () if step in before else (step,))


def _turn_away_addition(file: File, command: Complete | Notify, problems: Iterable[Problem]) -> Decision:
    key = (file.portal, file.portal_reference, file.latest.revision)
    step = Rejected(*key, in_order(problems), command.data_sha256)
    return Decision(TurnedAway(step.problems), () if step in file.rejected else (step,))
