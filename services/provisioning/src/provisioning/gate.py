"""The hosting gate asked about one permit and one environment: pure, so that it can be asked about any day."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from provisioning.project import Clearance, Permit
from safeguards.hosting import Environment, Need, criteria


def look(
    environment: Environment | None, environment_id: str, permit: Permit, described: Iterable[str], day: date
) -> Clearance:
    """What the gate finds on a day for every dataset class of a permit: as granted, and as `described` since.

    Of an environment that never presented itself nothing is proven. The criteria cite their articles (domain of
    `safeguards.hosting`: CSP:L1111-8, D2026-209, A2024-05-06, SREN:31, EHDS:73(1), EHDS:87(1)).
    """
    known = environment or Environment(environment_id, "", "", "", False, ())
    classes = permit.classes | frozenset(described)
    need = Need(classes, permit.state_body, permit.regime)
    return Clearance(environment_id, day, criteria(known, need, day), classes)
