"""Reading case files, reference data and lists of periods from disk, with every problem at once."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from compliance.case import Case
from compliance.periods import STEPS, due
from compliance.problems import CaseError, Problem
from compliance.reading import read_case, read_day, read_reference
from compliance.reference import Reference


@dataclass(frozen=True, slots=True)
class CaseFile:
    """A case with the day and the reference data to assess it by."""

    case: Case
    as_of: date
    reference: Reference


def read_case_file(file: Path, as_of: str | None, reference: Path | None) -> CaseFile:
    """Read a case, and `catalogue.json` and `environments.json` from the reference folder, else the case's own.

    `as_of` replaces the day the file names. Raises CaseError with the problems of all three files.
    """
    folder = reference if reference is not None else file.parent
    problems: list[Problem] = []
    raw = read_json(file, problems)
    catalogue = read_json(folder / "catalogue.json", problems)
    environments = read_json(folder / "environments.json", problems)
    if as_of is not None:
        read_day(as_of, "--as-of", problems)
        raw = {**raw, "as_of": as_of} if isinstance(raw, dict) else raw
    case: tuple[Case, date] | None = None
    found: Reference | None = None
    if raw is not None:
        try:
            case = read_case(raw)
        except CaseError as error:
            problems.extend(p for p in error.problems if as_of is None or p.where != "/as_of")
    if catalogue is not None and environments is not None:
        try:
            found = read_reference(catalogue, environments)
        except CaseError as error:
            problems.extend(error.problems)
    if problems or case is None or found is None:
        raise CaseError(problems)
    return CaseFile(case[0], case[1], found)


def read_json(file: Path, problems: list[Problem]) -> object:
    """The content of a JSON file; None, with a problem added, when there is none."""
    try:
        content: object = json.loads(file.read_bytes())
    except FileNotFoundError:
        problems.append(Problem("missing-file", file.name, "a file is expected"))
    except OSError:
        problems.append(Problem("unreadable-file", file.name, "a file that can be read is expected"))
    except (ValueError, RecursionError):
        problems.append(Problem("not-json", file.name, "JSON in UTF-8 is expected"))
    else:
        if content is not None:
            return content
        problems.append(Problem("wrong-shape", file.name, "an object or a list is expected"))
    return None


@dataclass(frozen=True, slots=True)
class PeriodAnswer:
    """One computed period: the id it was asked under, its step, its start, the last day in time."""

    id: str
    step: str
    start: date | datetime
    extended: bool
    due: date


def read_periods(file: Path) -> tuple[PeriodAnswer, ...]:
    """Compute every period of a list `[{id, rule, start, extended}]`; raises CaseError with every problem."""
    problems: list[Problem] = []
    raw = read_json(file, problems)
    if raw is not None and not isinstance(raw, list):
        problems.append(Problem("wrong-shape", "/", "a list is expected"))
    entries: Iterable[object] = raw if isinstance(raw, list) else ()
    answers = [_period(entry, f"/{at}", problems) for at, entry in enumerate(entries)]
    if problems:
        raise CaseError(problems)
    return tuple(answer for answer in answers if answer is not None)


def _period(raw: object, where: str, problems: list[Problem]) -> PeriodAnswer | None:
    if not isinstance(raw, dict):
        problems.append(Problem("wrong-shape", where, "an object is expected"))
        return None
    before = len(problems)
    identity, rule, extended = raw.get("id"), raw.get("rule"), raw.get("extended", False)
    if not isinstance(identity, str):
        problems.append(Problem("wrong-shape", f"{where}/id", "a text is expected"))
    if not isinstance(rule, str) or rule not in STEPS:
        problems.append(Problem("unknown-step", f"{where}/rule", "a step the rules know is expected"))
    if not isinstance(extended, bool):
        problems.append(Problem("wrong-shape", f"{where}/extended", "true or false is expected"))
    start = _start(raw.get("start"))
    if start is None:
        problems.append(Problem("wrong-shape", f"{where}/start", "a date, or an instant with its offset, is expected"))
    if len(problems) > before or start is None:
        return None
    try:
        last = due(str(rule), start, extended is True)
    except CaseError as error:
        problems.extend(Problem(p.code, f"{where}/start", p.detail) for p in error.problems)
        return None
    return PeriodAnswer(str(identity), str(rule), start, extended is True, last)


def _start(raw: object) -> date | datetime | None:
    if not isinstance(raw, str):
        return None
    day = read_day(raw, "", [])
    if day is not None:
        return day
    try:
        instant = datetime.fromisoformat(raw)
    except ValueError:
        return None
    return instant if instant.tzinfo is not None else None
