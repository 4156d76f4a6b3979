"""The words the facts share: references, codes, citations, dates, and the closed lists of the law."""

import re
from contextlib import suppress
from datetime import UTC, date, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, ValidationInfo, WithJsonSchema
from pydantic_core import PydanticCustomError

from contracts.envelope import Unreadable, read_time
from contracts.facts import OPTIONAL, Shape

Reference = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$")]
"""An id given by a portal, an authority, a holder or a host; never a name or an address."""

Uuid = Annotated[str, Field(pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Country = Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
Code = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]{0,63}$")]
"""A reason, a finding, a condition, a document: upper-case, stable, never a sentence."""

Word = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,63}$")]
"""A lower-case word of the vocabulary: a step, a state, a kind."""

Citation = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9-]*(:[A-Za-z0-9()./-]+)?$", max_length=64)]
"""The article a rule rests on, as TEXT:article."""

Body = Annotated[str, Field(pattern=r"^(HDH|CESREES|CPP|CSE|CNIL|HDAB-[A-Z]{2})$")]
Count = Annotated[int, Field(ge=0, le=2**53 - 1)]
Positive = Annotated[int, Field(ge=1, le=2**53 - 1)]
Months = Annotated[int, Field(ge=1, le=600)]
Title = Annotated[str, Field(min_length=1, max_length=200)]
Version = Reference


_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}").fullmatch


def _day(value: object, info: ValidationInfo) -> object:
    if info.mode != "json":
        return value
    if isinstance(value, str) and _DAY(value) is not None:
        with suppress(ValueError):
            return date.fromisoformat(value)
    raise PydanticCustomError("date", "a date is YYYY-MM-DD")


Day = Annotated[
    date,
    BeforeValidator(_day),
    WithJsonSchema({"type": "string", "format": "date", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"}),
]
"""A local date, Europe/Paris."""


def _instant(value: object, info: ValidationInfo) -> object:
    if info.mode != "json":
        return value
    if isinstance(value, str):
        with suppress(Unreadable):
            return read_time(value)
    raise PydanticCustomError("instant", "a moment is an RFC 3339 instant in the years 2000 to 2199")


def _utc(value: datetime) -> datetime:
    return value.astimezone(UTC)


_INSTANT = (
    "^2[01][0-9]{2}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}"
    r"(\.[0-9]{1,12})?([Zz]|[+-][0-9]{2}:[0-9]{2})$"
)
Instant = Annotated[
    AwareDatetime,
    BeforeValidator(_instant),
    AfterValidator(_utc),
    WithJsonSchema({"type": "string", "format": "date-time", "pattern": _INSTANT}),
]
"""A moment, in UTC on the wire."""

Regime = Literal["FR", "EU"]
Purpose = Literal["a", "b", "c", "d", "e", "e.i", "e.ii", "f"]
Category = Literal["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q"]
Source = Literal[
    "OWN_PATIENTS",
    "EDS",
    "SNDS_MAIN",
    "SNDS_SAMPLE",
    "PMSI_ATIH",
    "COHORT",
    "TRIAL",
    "REGISTRY",
    "BIOBANK",
    "EHR",
    "IMAGING",
    "OTHER",
]
DatasetClass = Literal["snds", "health"]
Form = Literal["statistics", "anonymised", "pseudonymised"]
Role = Literal["principal_investigator", "care_team", "analyst", "data_manager", "statistician", "contractor"]
DatasetState = Literal["pending", "granted", "refused", "excluded"]
Evidence = Literal["HDS", "SECNUMCLOUD", "SNDS_HOMOLOGATION", "SPE_73"]
Verdict = Literal["granted", "refused"]
OpinionVerdict = Literal["favourable", "favourable_with_recommendations", "reserved", "unfavourable"]
OutputVerdict = Literal["released", "returned", "rejected"]
WorkspaceState = Literal["requested", "provisioning", "ready", "open", "frozen", "migrating", "closed", "destroyed"]
Outcome = Literal[
    "START_ALLOWED",
    "GRANTED",
    "DEEMED_GRANTED",
    "PARTIALLY_GRANTED",
    "REFUSED",
    "REFUSAL_PROPOSED",
    "NOT_AUTHORISED",
    "BLOCKED",
    "LAPSED",
    "CONVERTED",
    "ANSWERED",
    "WITHDRAWN",
]
PermitKind = Literal["authorisation", "deemed-authorisation", "declaration", "data-permit"]


class Finding(Shape):
    """A code and the article it rests on."""

    code: Code
    citation: Citation


class Reason(Shape):
    """A finding that may be about one person or one dataset."""

    code: Code
    citation: Citation
    subject: Reference | None = OPTIONAL


class DatasetDecision(Shape):
    """What was decided for one dataset."""

    dataset_id: Reference
    decision: DatasetState
