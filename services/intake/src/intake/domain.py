"""What the window knows of one request, and what it answers and notes when a portal brings something.

A request is identified by (portal, portal_reference); a submission by these and its revision. The window never judges
the law: it keeps what it accepted, refuses to overwrite it, and passes on in order what the portal said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, TypeAlias, assert_never

from pydantic import JsonValue

from contracts.dossier import Document, Dossier
from intake.dossiers import Completion, changed_members, completed, new_documents, with_documents
from intake.problems import Problem, in_order
from intake.references import Known, unknown_datasets, unknown_references

# What a portal brings


@dataclass(frozen=True, slots=True)
class Submit:
    """A dossier is handed in; `dossier` is None when `problems` say why its shape could not be read."""

    portal: str
    portal_reference: str
    revision: int
    dossier: Dossier | None
    problems: tuple[Problem, ...]
    data_sha256: str
    said_at: datetime


@dataclass(frozen=True, slots=True)
class Complete:
    """Documents and members are added to a dossier that is on file."""

    portal: str
    completion: Completion
    data_sha256: str
    said_at: datetime


@dataclass(frozen=True, slots=True)
class Withdraw:
    """The portal takes its request back."""

    portal: str
    said_at: datetime


@dataclass(frozen=True, slots=True)
class Notify:
    """The portal says anything else about its request; `notice` is the short type, `data` already has its shape."""

    portal: str
    notice: str
    data: Mapping[str, JsonValue]
    adds_datasets: tuple[str, ...]
    said_at: datetime


Command: TypeAlias = Submit | Complete | Withdraw | Notify


# What the window notes


@dataclass(frozen=True, slots=True)
class Kept:
    """A dossier exactly as it was submitted, with the SHA-256 of the bytes it came in (lower-case hex)."""

    revision: int
    data_sha256: str
    dossier: Dossier


@dataclass(frozen=True, slots=True)
class Accepted:
    """The first readable dossier of a request was taken in."""

    kept: Kept
    said_at: datetime
    kind: Literal["accepted"] = "accepted"


@dataclass(frozen=True, slots=True)
class Revised:
    """The dossier on file changed: by a later revision, which is `kept`, or by a completion (`kept` is None)."""

    revision: int
    said_at: datetime
    documents: tuple[Document, ...]
    changes: Mapping[str, JsonValue]
    dossier: Dossier
    kept: Kept | None
    kind: Literal["revised"] = "revised"


@dataclass(frozen=True, slots=True)
class Conflicted:
    """Another body came under a key that is taken, and was not let in."""

    revision: int
    kept_sha256: str
    refused_sha256: str
    kind: Literal["conflicted"] = "conflicted"


@dataclass(frozen=True, slots=True)
class Rejected:
    """What came could not be taken in, for all of these reasons."""

    portal: str
    portal_reference: str
    revision: int
    problems: tuple[Problem, ...]
    data_sha256: str
    kind: Literal["rejected"] = "rejected"


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """The portal took its request back."""

    said_at: datetime
    kind: Literal["withdrawn"] = "withdrawn"


@dataclass(frozen=True, slots=True)
class Noted:
    """The portal said something that only later services can weigh."""

    notice: str
    data: Mapping[str, JsonValue]
    said_at: datetime
    kind: Literal["noted"] = "noted"


Step: TypeAlias = Accepted | Revised | Conflicted | Rejected | Withdrawn | Noted


# What the window knows


@dataclass(frozen=True, slots=True)
class Unheard:
    """Nothing was taken in yet; refused attempts are remembered so that each is said once."""

    rejected: tuple[Rejected, ...] = ()


@dataclass(frozen=True, slots=True)
class File:
    """What is on file for a request: its dossier with everything added since, and each submission as it came."""

    portal: str
    portal_reference: str
    dossier: Dossier
    submissions: tuple[Kept, ...]
    additions: tuple[Revised, ...] = ()
    notices: tuple[Noted, ...] = ()
    conflicts: tuple[Conflicted, ...] = ()
    rejected: tuple[Rejected, ...] = ()

    @property
    def latest(self) -> Kept:
        """The submission with the highest revision."""
        return self.submissions[-1]

    def submission(self, revision: int) -> Kept | None:
        """The submission of a revision, if one was taken in."""
        return next((kept for kept in self.submissions if kept.revision == revision), None)


@dataclass(frozen=True, slots=True)
class Open:
    """The request is on file and its portal may add to it."""

    file: File


@dataclass(frozen=True, slots=True)
class Closed:
    """The portal withdrew the request; what is on file stays, and no dossier is taken in for it any more."""

    file: File


State: TypeAlias = Unheard | Open | Closed

NOTHING = Unheard()


# What the window answers


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
    match state:
        case Open(file) | Closed(file) if file.portal != command.portal:
            return Decision(Foreign())
        case _:
            pass
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
        case Unheard(), Accepted(kept, _):
            dossier = kept.dossier
            file = File(dossier.portal, dossier.portal_reference, dossier, (kept,), rejected=state.rejected)
            return Open(file)
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


def _submission(state: State, command: Submit, known: Known) -> Decision:
    if isinstance(state, Unheard):
        return _first_submission(state, command, known)
    file = state.file
    kept = file.submission(command.revision)
    if kept is not None and _same(kept, command):
        return Decision(Received())
    if command.dossier is None:
        return _turn_away(file.rejected, command, command.problems)
    if kept is not None or command.revision < file.latest.revision:
        return _conflict(file, kept or file.latest, command)
    if isinstance(state, Closed):
        return _turn_away(file.rejected, command, (Problem("request-withdrawn", ""),))
    problems = unknown_references(command.dossier, known)
    if problems:
        return _turn_away(file.rejected, command, problems)
    return _later_revision(file, command, command.dossier)


def _first_submission(state: Unheard, command: Submit, known: Known) -> Decision:
    if command.dossier is None:
        return _turn_away(state.rejected, command, command.problems)
    problems = unknown_references(command.dossier, known)
    if problems:
        return _turn_away(state.rejected, command, problems)
    kept = Kept(command.revision, command.data_sha256, command.dossier)
    return Decision(Received(), (Accepted(kept, command.said_at),))


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
    file = state.file
    completion = command.completion
    if _completed_before(file, command.said_at, completion):
        return Decision(Received())
    if isinstance(state, Closed):
        return _turn_away_addition(file, command.data_sha256, (Problem("request-withdrawn", ""),))
    dossier = completed(file.dossier, completion)
    if not isinstance(dossier, Dossier):
        return _turn_away_addition(file, command.data_sha256, dossier)
    unknown = _unknown_in(dossier, completion, known)
    if unknown:
        return _turn_away_addition(file, command.data_sha256, unknown)
    step = Revised(file.latest.revision, command.said_at, completion.documents, completion.changes, dossier, kept=None)
    return Decision(Received(), (step,))


def _completed_before(file: File, said_at: datetime, completion: Completion) -> bool:
    """Whether the same was said at the same instant: history items are counted once, by content."""
    return any(
        (addition.said_at, addition.documents, addition.changes) == (said_at, completion.documents, completion.changes)
        for addition in file.additions
        if addition.kept is None
    )


def _unknown_in(dossier: Dossier, completion: Completion, known: Known) -> list[Problem]:
    """Unknown references in what a completion changes; what was on file before is not asked about again."""
    return [
        Problem(problem.code, f"/set{place}")
        for problem in unknown_references(dossier, known)
        if (place := problem.pointer.removeprefix("/dossier")).split("/")[1] in completion.changes
    ]


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
    file = state.file
    step = Noted(command.notice, command.data, command.said_at)
    if step in file.notices:
        return Decision(Received())
    problems = unknown_datasets(command.adds_datasets, known, "/add_datasets")
    if problems:
        return _turn_away_addition(file, "", problems)
    return Decision(Received(), (step,))


def _turn_away(before: tuple[Rejected, ...], command: Submit, problems: Sequence[Problem]) -> Decision:
    step = Rejected(command.portal, command.portal_reference, command.revision, in_order(problems), command.data_sha256)
    return Decision(TurnedAway(step.problems), () if step in before else (step,))


def _turn_away_addition(file: File, data_sha256: str, problems: Sequence[Problem]) -> Decision:
    step = Rejected(file.portal, file.portal_reference, file.latest.revision, in_order(problems), data_sha256)
    return Decision(TurnedAway(step.problems), () if step in file.rejected else (step,))


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
