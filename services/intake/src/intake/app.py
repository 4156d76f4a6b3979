"""The composition root of intake."""

from __future__ import annotations

from starlette.routing import BaseRoute

from chassis.runtime import Runtime
from chassis.service import Service
from intake.handlers import FACTS, TOPICS, handle
from intake.routes import Routes
from intake.settings import IntakeSettings


def build(settings: IntakeSettings) -> Service:
    """Intake as a service: the Kafka door is its handler, the HTTP door its routes."""

    def routes(runtime: Runtime) -> list[BaseRoute]:
        return list(Routes(runtime, settings).all())

    return Service(
        name="intake", topics=TOPICS, facts=FACTS, handle=handle, migrations="intake.migrations", routes=routes
    )
