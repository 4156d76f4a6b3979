"""Counting what the bodies of the member states decided, dataset by dataset (EHDS:67(3), 68(3), 72)."""

from dataclasses import dataclass, field

from compliance.case import Item
from compliance.look import Look
from compliance.rules.european_routes import single_trusted_holder


@dataclass(slots=True)
class Tally:
    """What was decided for each dataset that is not excluded, and the acts that led there.

    `without_fee` says that some dataset is still open because it was granted before any fee was estimated.
    """

    datasets: dict[str, str]
    grants: list[Item] = field(default_factory=list)
    decided_by: Item | None = None
    last_decision: Item | None = None
    forwarded: Item | None = None
    proposal: Item | None = None
    finding: Item | None = None
    converted_by: Item | None = None
    confirmed_by: Item | None = None
    fee_estimated: bool = False
    unpaid: set[str] = field(default_factory=set)
    unpaid_grants: list[Item] = field(default_factory=list)

    @property
    def without_fee(self) -> bool:
        """Whether a grant did not count for want of a fee estimate, and nothing was decided since."""
        return any(self.datasets[dataset_id] == "pending" for dataset_id in self.unpaid)

    @property
    def ends_decision(self) -> Item | None:
        """The act after which nothing is open."""
        return self.decided_by or self.converted_by or self.confirmed_by


def tally(look: Look, remaining: tuple[str, ...], begun: Item) -> Tally:
    """Count the acts that came after the assessment began, in order, until nothing is open."""
    counted = Tally(dict.fromkeys(remaining, "pending"))
    application = look.application
    statistics = look.dossier.kind == "statistics_request"
    estimates = list(look.said("fee.estimated.v1"))
    counted.fee_estimated = bool(estimates)
    holder = None if statistics else single_trusted_holder(application, remaining)
    for item in look.items:
        if item.place <= begun.place:
            continue
        match item.type:
            case "request.forwarded.v1" if holder is not None and counted.forwarded is None:
                if item.word("holder") in ("", holder) and not counted.last_decision:
                    counted.forwarded = item
            case "holder-assessment.submitted.v1" if counted.forwarded is not None and counted.proposal is None:
                if item.word("holder") in ("", holder) and item.word("proposal") in ("grant", "refuse"):
                    counted.proposal = item
            case "decision.issued.v1":
                # With a trusted holder the decision's period starts from its assessment, not before.
                if counted.forwarded is None or counted.proposal is not None:
                    estimated = statistics or any(estimate.on <= item.on for estimate in estimates)
                    _count(look, counted, item, estimated)
            case "assessment.recorded.v1" if not statistics and item.word("finding") == "STATISTICS_SUFFICIENT":
                counted.finding = counted.finding or item
            case "refusal.overridden.v1" if "STATISTICS_SUFFICIENT" in item.words("codes"):
                counted.finding = None
            case "refusal.confirmed.v1" if counted.finding is not None and not counted.grants:
                counted.confirmed_by = item
            case "request.conversion-agreed.v1" if counted.finding is not None and not counted.grants:
                counted.converted_by = item
        if counted.ends_decision is not None:
            break
    return counted


def _count(look: Look, counted: Tally, decision: Item, estimated: bool) -> None:
    verdict = decision.word("verdict")
    body = decision.word("body")
    if verdict not in ("granted", "refused") or not body.startswith("HDAB-"):
        return
    named = decision.data.get("datasets")
    targets = [
        dataset_id
        for dataset_id, state in counted.datasets.items()
        if state == "pending"
        and (
            dataset_id in decision.words("datasets")
            if named is not None
            else look.reference.datasets[dataset_id].country == body.removeprefix("HDAB-")
        )
    ]
    if not targets:
        return
    if verdict == "granted" and not estimated:
        counted.unpaid.update(targets)
        counted.unpaid_grants.append(decision)
        return
    counted.datasets.update(dict.fromkeys(targets, verdict))
    counted.last_decision = decision
    if verdict == "granted":
        counted.grants.append(decision)
    if "pending" not in counted.datasets.values():
        counted.decided_by = decision
