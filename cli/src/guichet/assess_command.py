"""`guichet assess` and `guichet deadlines`: the compliance domain alone, without a stack."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from guichet import console

BAD_INPUT = 2


def assess(
    case: Annotated[Path, typer.Argument(help="A case: dossier, history, settings and the day to look from.")],
    as_of: Annotated[str | None, typer.Option("--as-of", help="YYYY-MM-DD instead of the case's own day.")] = None,
    reference: Annotated[
        Path | None, typer.Option("--reference", help="Folder of catalogue.json and environments.json.")
    ] = None,
    lang: Annotated[
        Literal["fr", "en"] | None, typer.Option("--lang", help="French or English; else that of the environment.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="The assessment as JSON.")] = False,
) -> None:
    """What route, what is missing, what deadlines, what outcome and why; who has to act.

    Example: guichet assess tests/cases/F05a.json --as-of 2026-09-20 --lang fr
    """
    from compliance.problems import CaseError
    from compliance.released import assess as assess_case
    from guichet.case_files import read_case_file

    try:
        read = read_case_file(case, as_of, reference)
        assessment = assess_case(read.case, read.as_of, read.reference)
    except CaseError as error:
        raise _refuse(case, error) from None
    if json:
        console.show_json(assessment.as_json())
    else:
        from guichet.assessment_view import show
        from guichet.language import language

        show(assessment, console.out(), language(lang))


def deadlines(
    file: Annotated[Path, typer.Argument(help="A list of periods: id, rule, start, extended.")],
    json: Annotated[bool, typer.Option("--json", help="The due dates as JSON.")] = False,
) -> None:
    """The last day of each period of a list.

    Example: guichet deadlines tests/cases/deadlines.json
    """
    from compliance.problems import CaseError
    from guichet.case_files import read_periods

    try:
        periods = read_periods(file)
    except CaseError as error:
        raise _refuse(file, error) from None
    if json:
        console.show_json([{"id": period.id, "due": period.due.isoformat()} for period in periods])
    else:
        from guichet.assessment_view import show_periods

        show_periods(periods, console.out())


def _refuse(file: Path, error: Exception) -> typer.Exit:
    from compliance.problems import CaseError

    assert isinstance(error, CaseError)
    for problem in error.problems:
        console.fail(f"{file.name}{problem}" if problem.where.startswith("/") else str(problem))
    return typer.Exit(BAD_INPUT)
