"""The composition root of compliance."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from starlette.routing import BaseRoute

from chassis.runtime import Runtime
from chassis.service import Service
from compliance.acts_heard import HEARD
from compliance.files import Law
from compliance.handlers import Handlers
from compliance.legal_settings import DEFAULT, overridden
from compliance.reading import permanent_body_of
from compliance.routes import routes
from compliance.settings import ComplianceSettings
from contracts import topics

TOPICS: Final = (topics.REQUESTS, topics.AUTHORITIES, topics.CATALOGUE, topics.OPTOUTS, topics.ENVIRONMENTS)


def build(settings: ComplianceSettings) -> Service:
    """Compliance as a service, under the law that its settings name."""
    law = law_of(settings)
    handlers = Handlers(law)

    def own_routes(runtime: Runtime) -> Sequence[BaseRoute]:
        return routes(runtime, law)

    return Service(
        name="compliance",
        topics=TOPICS,
        facts=HEARD,
        handle=handlers.hear,
        on_timer=handlers.look_again,
        migrations="compliance.migrations",
        routes=own_routes,
    )


def law_of(settings: ComplianceSettings) -> Law:
    """The lists and values that the law leaves to be filled in."""
    bodies = {}
    if settings.permanent_bodies_file is not None:
        entries = json.loads(settings.permanent_bodies_file.read_text("utf-8"))["permanent_bodies"]
        bodies = {body.organisation_id: body for body in map(permanent_body_of, entries)}
    values = json.loads(settings.rules_file.read_text("utf-8")) if settings.rules_file is not None else None
    return Law(bodies, overridden(values) if values else DEFAULT)
