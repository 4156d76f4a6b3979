"""What the HTTP door says: one answer for each event, errors as problem details (RFC 9457) that hold no value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

from pydantic import JsonValue
from starlette.responses import JSONResponse

from contracts.envelope import Unreadable
from intake.problems import Problem

PROBLEM: Final = "application/problem+json"

TITLES: Final[Mapping[str, str]] = {
    "back-pressure": "The office is behind; please wait",
    "batch-too-large": "Too many events in one body",
    "conflict": "Another body is on file under this reference and revision",
    "event-id-reused": "This event id was used for something else",
    "foreign-source": "This portal may not say this",
    "not-acceptable": "The event cannot be taken in",
    "not-found": "No such request of this portal",
    "rate-limited": "Too many events; please wait",
    "too-large": "The body is too large",
    "too-many-waiting": "Too much waits for this request; submit it first",
    "unauthorized": "A bearer token of a portal is needed",
    "unreadable": "The body is not what it says it is",
    "unsupported-content-type": "This media type is not read here",
}
"""Every problem type of the door, as `urn:guichet:problem:<code>`, with its title."""

_REFUSED: Final = frozenset(
    {"unknown-type", "unknown-version", "wrong-topic", "subject-mismatch", "clock-skew", "time-out-of-range"}
)
"""Codes of events that can be read and still not be taken in."""


@dataclass(frozen=True, slots=True)
class Result:
    """The answer to one event, or to a request as a whole."""

    status: int
    body: Mapping[str, JsonValue]
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def code(self) -> str:
        """The problem's code, or `received` and `waiting`: for counting."""
        return str(self.body.get("code") or self.body.get("outcome"))

    def response(self) -> JSONResponse:
        """The HTTP response when this is all there is to say."""
        media = PROBLEM if self.status >= HTTPStatus.BAD_REQUEST else "application/json"
        return JSONResponse(dict(self.body), self.status, dict(self.headers), media_type=media)


def taken(request_id: str, outcome: str) -> Result:
    """202: durable, and about this request. `outcome` is `received`, or `waiting` for a submission still to come."""
    return Result(
        HTTPStatus.ACCEPTED,
        {"request_id": request_id, "outcome": outcome},
        {"Location": f"/requests/{request_id}"},
    )


def problem(
    status: int, code: str, *, request_id: str | None = None, headers: Mapping[str, str] | None = None, detail: str = ""
) -> Result:
    """An error with a code of `TITLES`; `detail` names fields and rules."""
    body: dict[str, JsonValue] = {
        "type": f"urn:guichet:problem:{code}",
        "title": TITLES[code],
        "status": int(status),
        "code": code,
    }
    if detail:
        body["detail"] = detail
    if request_id is not None:
        body["request_id"] = request_id
    return Result(status, body, headers or {})


def not_acceptable(problems: Sequence[Problem]) -> Result:
    """422 with everything that is wrong, each with the place in the event's data."""
    listed: list[JsonValue] = [{"code": each.code, "pointer": each.pointer, "detail": each.detail} for each in problems]
    found = problem(HTTPStatus.UNPROCESSABLE_ENTITY, "not-acceptable")
    return Result(found.status, {**found.body, "problems": listed})


def unreadable(error: Unreadable) -> Result:
    """The answer to an event that the contracts do not let through."""
    match error.code:
        case "foreign-source":
            return problem(HTTPStatus.FORBIDDEN, "foreign-source", detail=error.detail)
        case "too-large":
            # What is still to come of the body must not be taken for the next request.
            close = {"Connection": "close"}
            return problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too-large", detail=error.detail, headers=close)
        case "unsupported-content-type":
            return problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported-content-type", detail=error.detail)
        case code if code in _REFUSED:
            found = problem(HTTPStatus.UNPROCESSABLE_ENTITY, "not-acceptable")
        case code:
            found = problem(HTTPStatus.BAD_REQUEST, "unreadable")
    listed: list[JsonValue] = [{"code": code, "pointer": "", "detail": error.detail}]
    return Result(found.status, {**found.body, "problems": listed})


def wait(code: str, seconds: float) -> Result:
    """429: come back after so many seconds, rounded up."""
    return problem(HTTPStatus.TOO_MANY_REQUESTS, code, headers={"Retry-After": str(max(1, -int(-seconds // 1)))})
