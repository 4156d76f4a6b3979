"""A bundle verified level by level, from its container to the stories it tells."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from guichet_verify.bundle import MAX_BYTES, Bundle
from guichet_verify.checkpoints import Checkpoint, Opened, open_checkpoint
from guichet_verify.container import Container, NotABundle
from guichet_verify.contents import LogCheck
from guichet_verify.history import check_history
from guichet_verify.leaves import FirstLeaf
from guichet_verify.manifest import ALL, LOG
from guichet_verify.notes import COSIGNATURE, NotANote
from guichet_verify.policy import Policy
from guichet_verify.report import Failure, Level, LevelFailed, Report, SignedLog, Status
from guichet_verify.stories import Stories
from guichet_verify.timestamps import TokenCheck


@dataclass(frozen=True, slots=True)
class Asked:
    """What a verifier brings himself: whom he trusts, what he holds from before, what must have been looked at."""

    policy: Policy
    held: Sequence[Checkpoint] = ()
    required: Collection[Level] = ()
    authority: TokenCheck | None = None
    max_bytes: int = MAX_BYTES
    tell: Callable[[int], None] = field(default=lambda leaves: None)
    """Told, again and again, how many more leaves were checked."""


def verify_bundle(path: Path, asked: Asked) -> Report:
    """Verifies a bundle in memory that does not grow with it; raises OSError when there is no file to read."""
    report = Report()
    try:
        with Container(path) as container:
            bundle = Bundle(container, asked.max_bytes)
            report.settle(Level.L0)
            _Verification(bundle, asked, report).run()
    except NotABundle as error:
        report.fail(Failure(Level.L0, None, None, str(error)))
    for level in asked.required:
        if report.status[level] is Status.NOT_ASKED:
            report.fail(Failure(level, None, None, "required, and not asked"))
        elif report.status[level] is Status.NOT_EVALUATED and report.holds:
            report.fail(Failure(level, None, None, "required, and not evaluated"))
    return report


class _Verification:
    """The levels above the container."""

    def __init__(self, bundle: Bundle, asked: Asked, report: Report) -> None:
        self._bundle, self._asked, self._report = bundle, asked, report
        self._manifest = bundle.manifest
        self._signed: dict[int, Opened] = {}
        self._roots: dict[int, dict[int, bytes]] = {}
        names = (subject.name for subject in self._manifest.subjects)
        self._stories = Stories(names, numbered=self._manifest.scope.complete)

    def run(self) -> None:
        self._signatures()
        self._contents()
        self._history()
        self._quorum()
        self._tokens()
        sound = {self._report.status[level] for level in (Level.L1, Level.L2)} == {Status.PASS}
        self._numbers(sound)
        self._told(sound)
        self._remark()

    def _signatures(self) -> None:
        for number, part in enumerate(self._manifest.logs):
            try:
                opened = open_checkpoint(self._bundle.checkpoint(number), self._asked.policy.keys)
                if (opened.checkpoint.origin, opened.checkpoint.size) != (part.origin, part.size):
                    raise NotANote("checkpoint of another log or size than bundle.json says")
            except NotANote as error:
                self._report.fail(Failure(Level.L1, part.origin, None, str(error)))
                if self._report.full(Level.L1):
                    break
                continue
            self._signed[number] = opened
            cosigned = {key.name: time for key, time in opened.verified if time is not None}
            self._report.logs.append(SignedLog(part.origin, part.size, opened.checkpoint.root, cosigned))
        self._report.settle(Level.L1)

    def _contents(self) -> None:
        """Level 2, in the order in which stories are told. What nobody signed is not worth reading."""
        logs = self._manifest.logs
        begun: list[FirstLeaf] = []
        for number in sorted(self._signed, key=lambda each: logs[each].origin):
            if self._report.full(Level.L2):
                break
            held = {each.size for each in self._asked.held if each.origin == logs[number].origin}
            try:
                check = LogCheck(self._bundle, number, self._signed[number].checkpoint, self._stories.listen)
                self._roots[number] = check.run(held | set(logs[number].older), self._tell)
                self._report.blobs += check.blobs
                begun += [] if check.first is None else [check.first]
            except LevelFailed as error:
                self._report.fail(error.failure)
        self._succession(begun)
        whole = len(self._roots) == len(logs)
        if whole and self._bundle.unclaimed:
            self._report.fail(Failure(Level.L2, None, None, f"{self._bundle.unclaimed} blobs that no leaf claims"))
        if whole or self._report.status[Level.L2] is Status.FAIL:
            self._report.settle(Level.L2)

    def _succession(self, begun: Sequence[FirstLeaf]) -> None:
        """A log is frozen at the size that the first leaf of its next epoch names, whoever signed more of it."""
        signed = {each.checkpoint.origin: each.checkpoint for each in self._signed.values()}
        for first in begun:
            before = signed.get(first.previous_origin)
            if before is None or before.size < first.previous_size:
                continue  # An earlier state of it, or dropped with its epoch.
            if before.size > first.previous_size:
                reason = f"signed at size {before.size}, and ended at {first.previous_size} by {first.origin}"
            elif before.root != first.previous_root:
                reason = f"ended with another root by {first.origin}"
            else:
                continue
            self._report.fail(Failure(Level.L2, before.origin, None, reason))

    def _tell(self, leaves: int) -> None:
        self._report.leaves += leaves
        self._asked.tell(leaves)

    def _history(self) -> None:
        sound = {number: self._signed[number].checkpoint for number in self._roots}
        check_history(self._bundle, sound, self._roots, self._asked.held, self._report)

    def _quorum(self) -> None:
        policy = self._asked.policy
        for opened in self._signed.values():
            cosigners = {key for key, _ in opened.verified if key.kind == COSIGNATURE}
            if not policy.met_by(cosigners):
                self._report.fail(Failure(Level.L4, opened.checkpoint.origin, None, "the quorum did not cosign"))
        if len(self._signed) == len(self._manifest.logs) or not policy.asks_witnesses:
            self._report.settle(Level.L4, policy.asks_witnesses)

    def _tokens(self) -> None:
        if self._asked.authority is None:
            self._report.settle(Level.L5, False)
            return
        for number, opened in self._signed.items():
            reason = self._asked.authority.refuses(
                self._bundle.token(number), hashlib.sha256(opened.note.text).digest()
            )
            if reason is not None:
                self._report.fail(Failure(Level.L5, opened.checkpoint.origin, None, reason))
        if len(self._signed) == len(self._manifest.logs):
            self._report.settle(Level.L5)

    def _numbers(self, sound: bool) -> None:
        if not self._manifest.scope.complete:
            self._report.settle(Level.L6, False)
        elif sound:
            if self._manifest.scope.kind in (ALL, LOG):
                for part in self._manifest.logs:
                    if not part.whole:
                        self._report.fail(Failure(Level.L6, part.origin, None, "not the whole log"))
            for number, subject in enumerate(self._manifest.subjects):
                for gap in self._stories.of(subject.name).gaps(subject.last):
                    self._report.fail(Failure(Level.L6, None, None, f"subject {number}: {gap}"))
            self._report.settle(Level.L6)

    def _told(self, sound: bool) -> None:
        if not self._manifest.subjects:
            self._report.settle(Level.L7, False)
        elif sound:
            for number, subject in enumerate(self._manifest.subjects):
                if hashlib.sha256(self._bundle.story(number)).digest() != self._stories.of(subject.name).digest():
                    self._report.fail(Failure(Level.L7, None, None, f"subject {number}: its leaves tell another story"))
            self._report.settle(Level.L7)

    def _remark(self) -> None:
        remarks = self._report.remarks
        if not self._asked.held:
            remarks.append("no checkpoint was held against it: nothing is said of a trail that was rolled back")
        if not self._asked.policy.asks_witnesses:
            remarks.append("the policy asks no witness: nothing is said of two trails shown to two readers")
        unproved = sum(None in subject.last.values() for subject in self._manifest.subjects)
        if self._manifest.scope.complete and unproved:
            remarks.append(f"{unproved} subjects have events of sources that give no numbers: not provable as complete")
        if self._manifest.absent:
            remarks.append(f"{len(self._manifest.absent)} large records are left out: only their hashes are proved")
