"""The composition root of the audit service: one writer, and what can be asked about the trail."""

from collections.abc import Coroutine, Mapping, Sequence

from audit.alarms import Alarms
from audit.checks import Overdue
from audit.ingest import Ingest
from audit.publication import Publication
from audit.routes import routes
from audit.settings import AuditSettings
from chassis.runtime import Runtime
from chassis.service import Service


def build(settings: AuditSettings) -> Service:
    """The service. Its one writer is made when the runtime first asks for loops, and lives again after a crash."""
    writers: list[Ingest] = []

    def tasks(runtime: Runtime) -> Sequence[Coroutine[object, object, None]]:
        if not writers:
            writers.append(Ingest(runtime.database, settings.kafka, settings.audit_name, runtime.metrics))
        loops: list[Coroutine[object, object, None]] = [
            writers[0].run(runtime.stopping),
            Alarms(writers[0], runtime.transaction).run(runtime.stopping),
            Overdue(runtime.transaction, runtime.metrics).run(runtime.stopping),
        ]
        if settings.signer_url:
            loops.append(Publication(settings.signer_url, runtime.transaction).run(runtime.stopping))
        return loops

    async def lag(_: Runtime) -> Mapping[str, int]:
        return await writers[0].lag() if writers else {}

    def ready(_: Runtime) -> Mapping[str, bool]:
        return {
            "following": bool(writers) and writers[0].following,
            "nothing_halted": bool(writers) and not writers[0].halted,
            "topics_fit": bool(writers) and not writers[0].unfit,
            "logs_opened": bool(writers) and not writers[0].unlogged,
        }

    return Service(
        name="audit",
        migrations="audit.migrations",
        deployed=True,
        routes=lambda runtime: routes(runtime, settings),
        tasks=tasks,
        lag=lag,
        ready=ready,
    )
