"""An assessment for people, in French or in English: what was decided, why, what is missing, what is left to do."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from compliance.assessment import Assessment
from compliance.coded import Finding
from compliance.periods import STEPS
from compliance.rulebook import texts
from compliance.rulebook.texts import Language, word
from compliance.steps import Deadline
from guichet.language import in_words
from guichet.phrases import say

if TYPE_CHECKING:
    from rich.console import Console

    from guichet.case_files import PeriodAnswer

Rows = Iterable[tuple[str, ...]]


def show(assessment: Assessment, console: "Console", lang: Language = "en") -> None:
    """Print an assessment: each code with its sentence and its article, each deadline in words, who has to act."""
    _head(assessment, console, lang)
    regime = assessment.regime
    _findings("why", assessment.reasons, regime, console, lang)
    _findings("missing", assessment.missing, regime, console, lang)
    _findings("to do", assessment.actions, regime, console, lang)
    _deadlines(assessment.deadlines, regime, console, lang)
    _findings("conditions", assessment.conditions, regime, console, lang)
    aside = (
        (
            a.route,
            texts.title(a.code, lang) + _in_brackets(_doubt(regime, a.code, a.citation, lang)),
            a.code,
            a.citation,
        )
        for a in assessment.alternatives
    )
    _table("aside", ("route", "in words", "code", "article"), aside, console, lang)
    datasets = ((dataset_id, word("decisions", decision, lang)) for dataset_id, decision in assessment.datasets)
    _table("datasets", ("dataset", "decision"), datasets, console, lang)
    opt_outs = ((o.ref, texts.title(o.effect, lang), o.effect, o.citation) for o in assessment.opt_outs)
    _table("opt-outs", ("person", "in words", "effect", "article"), opt_outs, console, lang)
    outputs = ((o.ref, _verdict(o.verdict, o.code, lang), o.code or "", o.citation) for o in assessment.outputs)
    _table("outputs", ("output", "verdict", "code", "article"), outputs, console, lang)
    _articles(assessment, console, lang)
    _foot(assessment, console, lang)


def _head(assessment: Assessment, console: "Console", lang: Language) -> None:
    regime = word("regimes", assessment.regime, lang)
    day = in_words(assessment.as_of, lang)
    console.print(f"{assessment.case_id}  {assessment.particulars.title}", markup=False, style="bold", soft_wrap=True)
    console.print(say("as of", lang, day=day, pack=assessment.rule_pack, regime=regime))
    route, outcome, permit = assessment.route, assessment.outcome, assessment.permit
    lines = [
        ("route", say("no route", lang) if route is None else _route(assessment, route, lang)),
        ("status", _coded(assessment.status, "statuses", lang)),
        ("outcome", say("none yet", lang) if outcome is None else _coded(outcome, "outcomes", lang)),
        ("may start", say("yes" if assessment.start_allowed else "no", lang)),
    ]
    if permit is not None:
        kind, status = word("permits", permit.kind, lang), word("permits", permit.status, lang)
        first, last = in_words(permit.issued_on, lang), in_words(permit.expires_on, lang)
        values = {"kind": kind, "status": status, "version": permit.version, "months": permit.months}
        lines.append(("permit", say("permit line", lang, first=first, last=last, **values)))
    if assessment.environment is not None:
        cleared = "cleared" if assessment.environment.cleared else "not cleared"
        lines.append(("environment", say(cleared, lang, id=assessment.environment.environment_id)))
    width = max(len(say(name, lang)) for name, _ in lines)
    for name, text in lines:
        console.print(f"{say(name, lang):{width}}  {text}", soft_wrap=True)


def _route(assessment: Assessment, route: str, lang: Language) -> str:
    name = f"{route} ({assessment.citation})"
    doubt = _doubt(assessment.regime, route, str(assessment.citation), lang)
    return say("colon", lang, name=name, text=texts.title(route, lang) + _in_brackets(doubt))


def _coded(code: str, group: str, lang: Language) -> str:
    return say("colon", lang, name=code, text=word(group, code, lang))


def _findings(title: str, found: tuple[Finding, ...], regime: str, console: "Console", lang: Language) -> None:
    rows = [
        (
            texts.title(f.code, lang) + _in_brackets(_doubt(regime, f.code, f.citation, lang)),
            f.subject or "",
            texts.actor(f.code, regime, lang),
            f.code,
            f.citation,
        )
        for f in found
    ]
    _table(title, ("in words", "about", "by whom", "code", "article"), rows, console, lang)


def _doubt(regime: str, code: str, citation: str, lang: Language) -> str:
    level = texts.confidence_of(regime, code, citation)
    return "" if level == "high" else say("confidence", lang, level=word("confidence", level, lang))


def _in_brackets(text: str) -> str:
    return f" ({text})" if text else ""


def _deadlines(deadlines: tuple[Deadline, ...], regime: str, console: "Console", lang: Language) -> None:
    rows = (
        (
            texts.title(d.step, lang),
            texts.actor(d.step, regime, lang),
            in_words(d.starts, lang),
            in_words(d.due, lang),
            _stands(d, lang),
            word("silence", d.silence, lang),
            d.citation,
        )
        for d in deadlines
    )
    columns = ("awaited", "by whom", "runs from", "by", "where it stands", "if silent", "article")
    _table("deadlines", columns, rows, console, lang)


def _stands(deadline: Deadline, lang: Language) -> str:
    return word("states", deadline.state, lang) + _in_brackets(say("extended", lang) if deadline.extended else "")


def _verdict(verdict: str, code: str | None, lang: Language) -> str:
    said = word("outputs", verdict, lang)
    return said if code is None else say("colon", lang, name=said, text=texts.title(code, lang))


def _articles(assessment: Assessment, console: "Console", lang: Language) -> None:
    found = (*assessment.reasons, *assessment.missing, *assessment.actions, *assessment.conditions)
    cited = [assessment.citation or "", *(f.citation for f in found), *(d.citation for d in assessment.deadlines)]
    keys = dict.fromkeys((*cited, *(a.citation for a in assessment.alternatives)))
    _table("articles", ("article", "in words"), ((k, texts.article(k, lang)) for k in keys if k), console, lang)


def _foot(assessment: Assessment, console: "Console", lang: Language) -> None:
    register = assessment.register
    entry = say("register", lang, day=in_words(register.application_due, lang))
    if register.decision_kind is not None:
        entry += say("register decision", lang, kind=word("decisions", register.decision_kind, lang))
    if register.decision_due is not None:
        entry += say("register by", lang, day=in_words(register.decision_due, lang))
    console.print(f"\n{entry}.")
    if assessment.next_change is not None:
        console.print(say("next change", lang, day=in_words(assessment.next_change, lang)))
    console.print(say("more", lang))


def show_periods(periods: "Iterable[PeriodAnswer]", console: "Console") -> None:
    """Print computed periods with their articles."""
    rows = (
        (p.id, p.step, p.start.isoformat(), "yes" if p.extended else "", p.due.isoformat(), STEPS[p.step].citation)
        for p in periods
    )
    _print("Deadlines", ("Id", "Step", "From", "Extended", "Due", "Article"), rows, console)


def _table(title: str, columns: tuple[str, ...], rows: Rows, console: "Console", lang: Language) -> None:
    _print(say(title, lang), tuple(say(c, lang) if c else "" for c in columns), rows, console)


def _print(title: str, columns: tuple[str, ...], rows: Rows, console: "Console") -> None:
    """A table without the columns in which nothing stands; nothing at all without rows."""
    listed = list(rows)
    if not listed:
        return
    from rich.table import Table

    console.print()
    table = Table(title=title, title_justify="left", title_style="bold", show_edge=False, pad_edge=False)
    filled = [at for at in range(len(columns)) if any(row[at] for row in listed)]
    for at in filled:
        table.add_column(columns[at], overflow="fold")
    for row in listed:
        table.add_row(*(row[at] for at in filled))
    console.print(table)
