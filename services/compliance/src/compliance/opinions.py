"""Opinions of committees: express or tacit, from an event or from a document, favourable or not."""

from dataclasses import dataclass
from datetime import date

from compliance.calendars import DAY
from compliance.case import Item
from compliance.coded import Finding
from compliance.look import Look
from compliance.procedure import Procedure
from compliance.rules.documents import current_documents
from compliance.steps import after, of, run

FOLLOW_RECOMMENDATIONS = Finding("FOLLOW_RECOMMENDATIONS", "LIL:76")
OPINION_LATE = Finding("OPINION_LATE", "D2019-536:90")
VERDICTS = frozenset({"favourable", "favourable_with_recommendations", "reserved", "unfavourable"})


@dataclass(frozen=True, slots=True)
class Opinion:
    """What a committee said, or what its silence means (`verdict` None): favourable, never express.

    `place` is where in the history it was said; None for silence, which holds from `on`.
    """

    verdict: str | None
    on: date
    place: int | None

    def precedes(self, item: Item) -> bool:
        """Whether an act came after the opinion."""
        return self.place < item.place if self.place is not None else item.on >= self.on

    def expressly_favourable(self, look: Look) -> bool:
        """An opinion in words, and one the law in force takes as favourable."""
        return self.verdict in look.law.express_favourable


@dataclass(frozen=True, slots=True)
class CommitteeStage:
    """Where the committee stands: not yet seized, at work, or done."""

    received: Item | None
    opinion: Opinion | None


def research_committee(look: Look, items: tuple[Item, ...], completed_by: Item, shown: Procedure) -> CommitteeStage:
    """CESREES: transmission by the secretariat, then a month to give an opinion, or fifteen days if urgent
    (D2019-536:88, 90, 100). Shows its steps."""
    sent = shown.add(
        run(
            "secretariat_transmission",
            completed_by.on,
            after(items, completed_by),
            of("file.received.v1", body="CESREES"),
            look.today,
            look.law,
        )
    )
    if sent.act is None:
        return CommitteeStage(None, None)
    step = "committee_opinion_urgent" if sent.act.flag("urgent") else "committee_opinion"
    given = shown.add(
        run(
            step,
            sent.act.on,
            after(items, sent.act),
            lambda item: _gives_opinion(item, "CESREES"),
            look.today,
            look.law,
            counts_late=lambda item: look.law.late_opinion_counts,
        )
    )
    if given.too_late is not None:
        shown.reasons.append(OPINION_LATE)
    if given.act is not None:
        opinion = _said(given.act)
        note_recommendations(opinion, shown)
        return CommitteeStage(sent.act, opinion)
    if given.elapsed:
        return CommitteeStage(sent.act, Opinion(None, given.deadline.due + DAY, None))
    return CommitteeStage(sent.act, None)


def standing_opinions(look: Look, body: str) -> tuple[Opinion, ...]:
    """Opinions of a committee without a period (CPP, CSE), from events and PRIOR_OPINIONS, in order of their dates.

    An opinion dated in the future is not there yet.
    """
    found = [_said(item) for item in look.items if _gives_opinion(item, body)]
    for document in current_documents(look.dossier).get("PRIOR_OPINIONS", ()):
        opinion = document.opinion
        if opinion is not None and opinion.body == body and look.today.has_reached(opinion.date):
            brought_by = next(v.item for v in look.versions if document in v.dossier.documents)
            found.append(Opinion(opinion.verdict, opinion.date, brought_by.place))
    return tuple(sorted(found, key=lambda opinion: (opinion.on, -1 if opinion.place is None else opinion.place)))


def _gives_opinion(item: Item, body: str) -> bool:
    return item.type == "opinion.issued.v1" and item.word("body") == body and item.word("verdict") in VERDICTS


def _said(item: Item) -> Opinion:
    return Opinion(item.word("verdict"), item.on, item.place)


def note_recommendations(opinion: Opinion, shown: Procedure) -> None:
    """Recommendations become a condition (confidence: medium)."""
    if opinion.verdict == "favourable_with_recommendations":
        shown.conditions.append(FOLLOW_RECOMMENDATIONS)
