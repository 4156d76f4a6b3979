"""What compliance sees and says of an imagined world, and on how many worlds a law is tried."""

import json
import os
from datetime import date
from typing import Any

from hypothesis import HealthCheck, settings

from compliance.assessment import Assessment, assess
from compliance.case import Case
from compliance.domain import decide
from compliance.inputs import input_hash
from contracts.identity import request_id
from imagined import World

IDENTITY = request_id("portal-1", "P-1")
examples = settings(
    max_examples=int(os.environ.get("LAW_EXAMPLES", "120")), deadline=None, suppress_health_check=list(HealthCheck)
)
"""How many worlds each law is tried on: LAW_EXAMPLES=5000 for a night."""


def seen(world: World, day: date | None = None, case: Case | None = None) -> Assessment:
    return assess(case or world.case, day or world.day, world.reference)


def facts(world: World, before: Assessment | None, after: Assessment) -> list[dict[str, Any]]:
    """What compliance says, as it travels."""
    said = decide(before, after, IDENTITY, input_hash(world.case, after.as_of, world.reference))
    return [{"type": type(fact).event_type.split(".", 1)[1], **json.loads(fact.wire())} for fact in said]
