"""What intake says on guichet.requests: source /guichet/intake, subject and key the request id."""

from typing import Annotated

from pydantic import Field, JsonValue

from contracts import topics
from contracts.dossier import Document, Dossier
from contracts.facts import Fact, Shape
from contracts.vocabulary import Instant, Positive, Reference, Sha256, Uuid


class Problem(Shape):
    """One thing wrong with what was sent: a kebab-case code and where (RFC 6901 pointer); never the value."""

    code: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,63}$")]
    pointer: Annotated[str, Field(max_length=500)]


class RequestAccepted(Fact):
    """Said once for a request that has the right shape and comes from who may send it."""

    event_type = "guichet.request.accepted.v1"
    topic = topics.REQUESTS

    request_id: Uuid
    portal: Reference
    portal_reference: Reference
    revision: Positive
    dossier: Dossier
    submitted_at: Instant
    data_sha256: Sha256


class RequestRejected(Fact):
    """Said when what a portal sent cannot be considered, with every problem at once."""

    event_type = "guichet.request.rejected.v1"
    topic = topics.REQUESTS

    request_id: Uuid
    portal: Reference
    portal_reference: Reference
    revision: Annotated[int, Field(ge=0, description="0 when the dossier does not say.")]
    problems: Annotated[tuple[Problem, ...], Field(min_length=1)]


class RequestRevised(Fact):
    """Said when a completion or a higher revision changes a request: what was added, what was replaced."""

    event_type = "guichet.request.revised.v1"
    topic = topics.REQUESTS

    request_id: Uuid
    revision: Positive
    said_at: Instant
    documents: tuple[Document, ...]
    set: dict[str, JsonValue]


class SubmissionConflicted(Fact):
    """Said when another body comes under a key and revision already taken; the first stays."""

    event_type = "guichet.submission.conflicted.v1"
    topic = topics.REQUESTS

    request_id: Uuid
    portal: Reference
    portal_reference: Reference
    revision: Positive
    kept_sha256: Sha256
    refused_sha256: Sha256


class RequestWithdrawalRecorded(Fact):
    """Said when the applicant's withdrawal has been taken down."""

    event_type = "guichet.request.withdrawal-recorded.v1"
    topic = topics.REQUESTS

    request_id: Uuid
    said_at: Instant


class RequestNoticeRecorded(Fact):
    """Said for every other portal event once speaker and shape are checked: `data` is of the portal type `notice`
    names."""

    event_type = "guichet.request.notice-recorded.v1"
    topic = topics.REQUESTS

    request_id: Uuid
    notice: Annotated[str, Field(pattern=r"^[a-z][a-z-]*\.[a-z][a-z-]*\.v[1-9][0-9]*$")]
    data: dict[str, JsonValue]
    said_at: Instant
