"""What the window noted, in the published words of intake."""

from __future__ import annotations

from typing import assert_never

from contracts import intake
from contracts.facts import Fact
from intake.files import Accepted, Conflicted, Noted, Rejected, Revised, Step, Withdrawn


def fact_of(request_id: str, portal: str, portal_reference: str, step: Step) -> Fact:
    """The fact that tells everyone about a step."""
    match step:
        case Accepted(kept, said_at):
            return intake.RequestAccepted(
                request_id=request_id,
                portal=portal,
                portal_reference=portal_reference,
                revision=kept.revision,
                dossier=kept.dossier,
                submitted_at=said_at,
                data_sha256=kept.data_sha256,
            )
        case Revised():
            return intake.RequestRevised(
                request_id=request_id,
                revision=step.revision,
                said_at=step.said_at,
                documents=step.documents,
                set=dict(step.changes),
            )
        case Conflicted():
            return intake.SubmissionConflicted(
                request_id=request_id,
                portal=portal,
                portal_reference=portal_reference,
                revision=step.revision,
                kept_sha256=step.kept_sha256,
                refused_sha256=step.refused_sha256,
            )
        case Rejected():
            return intake.RequestRejected(
                request_id=request_id,
                portal=portal,
                portal_reference=portal_reference,
                revision=step.revision,
                problems=tuple(intake.Problem(code=each.code, pointer=each.pointer) for each in step.problems),
            )
        case Withdrawn(said_at):
            return intake.RequestWithdrawalRecorded(request_id=request_id, said_at=said_at)
        case Noted():
            return intake.RequestNoticeRecorded(
                request_id=request_id, notice=step.notice, data=dict(step.data), said_at=step.said_at
            )
        case _:
            assert_never(step)
