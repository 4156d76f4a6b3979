"""What compliance is told from outside."""

from __future__ import annotations

from pathlib import Path

from chassis.settings import Settings


class ComplianceSettings(Settings):
    """The settings of every service, and where the law leaves a list or a value to be filled in."""

    permanent_bodies_file: Path | None = None
    """JSON, the member `permanent_bodies` of a catalogue file (CSP:R1461-12); none are known when it is absent."""
    rules_file: Path | None = None
    """JSON object: values in place of the dated settings of the rule packs, by name."""
