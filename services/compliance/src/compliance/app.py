"""The composition root of compliance."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from starlette.routing import BaseRoute

from chassis.runtime import Runtime
from chassis.service import Service
from compliance.acts_heard import HEARD
from compliance.files import Law
from compliance.handlers import Handlers
from compliance.legal_settings import DEFAULT, overridden
from compliance.reading import permanent_body_of
from compliance.released import load_all
from compliance.routes import routes
from compliance.settings import ComplianceSettings
from contracts import topics

TOPICS: Final = (
    topics.REQUESTS,
    topics.AUTHORITIES,
    topics.CATALOGUE,
    topics.OPTOUTS,
    topics.ENVIRONMENTS,
    topics.WORKSPACES,
)


def build(settings: ComplianceSettings) -> Service:
    """Compliance as a service, under the law that its settings name, with every pack that may have to decide."""
    load_all()
    law = law_from(settings.permanent_bodies_file, settings.rules_file)
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


def law_from(permanent_bodies: Path | None, settings: Path | None) -> Law:
    """The lists and values that the law leaves to be filled in, from the files that hold them.

    Raises OSError, ValueError or KeyError for a file of another form, CaseError for a setting that nobody knows.
    """
    bodies = {}
    if permanent_bodies is not None:
        entries = json.loads(permanent_bodies.read_text("utf-8"))["permanent_bodies"]
        bodies = {body.organisation_id: body for body in map(permanent_body_of, entries)}
    values = json.loads(settings.read_text("utf-8")) if settings is not None else None
    return Law(bodies, overridden(values) if values else DEFAULT)
