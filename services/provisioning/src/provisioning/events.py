"""What can happen to a workspace, as provisioning remembers it; the published facts are said from these."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Literal, TypeAlias

from provisioning.project import Clearance, Drift, Extract, Permit, Table


class Step(StrEnum):
    """Work that an environment does for a workspace; each can be repeated and then changes nothing."""

    CLEAR = "clear"
    PREPARE = "prepare"
    FILL = "fill"
    REMOVE = "remove"
    ADMIT = "admit"
    OPEN = "open"
    FREEZE = "freeze"
    CLOSE = "close"
    DESTROY = "destroy"
    REPAIR = "repair"
    PLAN = "plan-move"
    COPY = "copy"
    SWITCH = "switch"
    UNDO = "undo-move"
    LEAVE = "leave"


@dataclass(frozen=True, slots=True)
class Wished:
    """The permit as it now stands."""

    permit: Permit
    kind: Literal["wished"] = "wished"


@dataclass(frozen=True, slots=True)
class Stood:
    """The permit is suspended or in force again."""

    suspended: bool
    kind: Literal["stood"] = "stood"


@dataclass(frozen=True, slots=True)
class Ended:
    """The permit is over."""

    code: str
    kind: Literal["ended"] = "ended"


@dataclass(frozen=True, slots=True)
class Delivered:
    """Datasets are there; empty before a permit is known means all that it will grant."""

    dataset_ids: tuple[str, ...]
    kind: Literal["delivered"] = "delivered"


@dataclass(frozen=True, slots=True)
class Objected:
    """A person objects to this project."""

    ref: str
    kind: Literal["objected"] = "objected"


@dataclass(frozen=True, slots=True)
class Judged:
    """The gate cleared or rejected the environment."""

    clearance: Clearance
    kind: Literal["judged"] = "judged"


@dataclass(frozen=True, slots=True)
class Assigned:
    """A person chose the environment that the permit had left open."""

    environment_id: str
    kind: Literal["assigned"] = "assigned"


@dataclass(frozen=True, slots=True)
class Prepared:
    """The place is there, empty."""

    kind: Literal["prepared"] = "prepared"


@dataclass(frozen=True, slots=True)
class Filled:
    """Datasets were extracted, others dropped. `excluded`: opted-out persons who were left out of these extracts."""

    extracts: tuple[Extract, ...]
    dropped: tuple[str, ...]
    opt_out_list_version: int
    excluded: int
    objections: frozenset[str]
    kind: Literal["filled"] = "filled"


@dataclass(frozen=True, slots=True)
class Removed:
    """Objecting persons were taken out; the tables that changed."""

    refs: frozenset[str]
    tables: tuple[Table, ...]
    opt_out_list_version: int
    kind: Literal["removed"] = "removed"


@dataclass(frozen=True, slots=True)
class Admitted:
    """Exactly these persons have a login, until the end of that day."""

    refs: tuple[str, ...]
    until: date
    kind: Literal["admitted"] = "admitted"


@dataclass(frozen=True, slots=True)
class Unlocking:
    """The environment is about to let persons in: from now on they may be in, whether or not anyone hears of it."""

    kind: Literal["unlocking"] = "unlocking"


@dataclass(frozen=True, slots=True)
class Opened:
    """A probe came in and counted."""

    refs: tuple[str, ...]
    kind: Literal["opened"] = "opened"


@dataclass(frozen=True, slots=True)
class Froze:
    """Logins are off, sessions ended, a probe was refused."""

    code: str
    kind: Literal["froze"] = "froze"


@dataclass(frozen=True, slots=True)
class ShutDown:
    """Logins are off for good; a probe was refused for each."""

    code: str
    kind: Literal["shut-down"] = "shut-down"


@dataclass(frozen=True, slots=True)
class Kept:
    """The time to keep the closed workspace is over."""

    kind: Literal["kept"] = "kept"


@dataclass(frozen=True, slots=True)
class Erased:
    """Data, logins and key are gone, verified; the certificate says what and when."""

    certificate_sha256: str
    kind: Literal["erased"] = "erased"


@dataclass(frozen=True, slots=True)
class Planned:
    """The workspace is to move to a cleared environment that the impact assessment covers."""

    clearance: Clearance
    code: str
    kind: Literal["planned"] = "planned"


@dataclass(frozen=True, slots=True)
class CalledOff:
    """The move is given up before its cut-over."""

    code: str
    kind: Literal["called-off"] = "called-off"


@dataclass(frozen=True, slots=True)
class Copied:
    """Every table stands at the target with the manifest it has at the source."""

    kind: Literal["copied"] = "copied"


@dataclass(frozen=True, slots=True)
class CutOver:
    """Logins were switched: from now on the workspace is at the target, and only another move takes it back."""

    clearance: Clearance
    refs: tuple[str, ...]
    until: date
    kind: Literal["cut-over"] = "cut-over"


@dataclass(frozen=True, slots=True)
class RolledBack:
    """The copy is gone, verified; the source stays."""

    kind: Literal["rolled-back"] = "rolled-back"


@dataclass(frozen=True, slots=True)
class Left:
    """The source is gone after a cut-over, verified; the certificate says what and when."""

    certificate_sha256: str
    kind: Literal["left"] = "left"


@dataclass(frozen=True, slots=True)
class Examined:
    """A result that was to leave got its final verdict: released, returned or rejected."""

    ref: str
    verdict: Literal["released", "returned", "rejected"]
    code: str | None
    citation: str
    cells: tuple[str, ...]
    kind: Literal["examined"] = "examined"


@dataclass(frozen=True, slots=True)
class TermsRequired:
    """From now on each person must have accepted one of these versions of the terms."""

    versions: tuple[str, ...]
    kind: Literal["terms-required"] = "terms-required"


@dataclass(frozen=True, slots=True)
class TermsAccepted:
    """A person accepted a version of the terms."""

    ref: str
    version: str
    on: date
    sha256: str = ""
    kind: Literal["terms-accepted"] = "terms-accepted"


@dataclass(frozen=True, slots=True)
class CutShort:
    """A step that an environment had begun to do is no longer due: what it did there is not known."""

    step: Step
    kind: Literal["cut-short"] = "cut-short"


@dataclass(frozen=True, slots=True)
class Stuck:
    """A person is needed."""

    step: Step
    code: str
    kind: Literal["stuck"] = "stuck"


@dataclass(frozen=True, slots=True)
class Retried:
    """A person asked to try again."""

    kind: Literal["retried"] = "retried"


@dataclass(frozen=True, slots=True)
class Drifted:
    """A sweep found differences that were not known."""

    found: tuple[Drift, ...]
    kind: Literal["drifted"] = "drifted"


@dataclass(frozen=True, slots=True)
class Mended:
    """Differences that were known are gone: repaired by us, or by somebody."""

    gone: tuple[Drift, ...]
    kind: Literal["mended"] = "mended"


Done: TypeAlias = (
    Prepared
    | Filled
    | Removed
    | Admitted
    | Opened
    | Froze
    | ShutDown
    | Erased
    | Copied
    | CutOver
    | RolledBack
    | Left
    | Mended
)
Event: TypeAlias = (
    Wished
    | Stood
    | Ended
    | Delivered
    | Objected
    | Judged
    | Assigned
    | Done
    | Unlocking
    | Kept
    | CutShort
    | Stuck
    | Retried
    | Planned
    | CalledOff
    | Examined
    | Drifted
    | TermsRequired
    | TermsAccepted
)
