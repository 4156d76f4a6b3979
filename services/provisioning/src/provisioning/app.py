"""The composition root: the service as the chassis runs it."""

from __future__ import annotations

from collections.abc import Coroutine, Sequence

from starlette.routing import BaseRoute

from chassis.runtime import Runtime
from chassis.service import Service
from contracts.topics import CATALOGUE, DECISIONS, ENVIRONMENTS, OPTOUTS, REQUESTS
from provisioning.certificate_keys import Signers
from provisioning.environments import Environment
from provisioning.environments.adapters import read_adapters
from provisioning.environments.http import HttpEnvironment
from provisioning.environments.http_client import Host
from provisioning.environments.postgres import PostgresEnvironment
from provisioning.handlers import FACTS, Handlers
from provisioning.looks import Looks
from provisioning.progress import Progress
from provisioning.reports import Reports
from provisioning.routes import routes as lists
from provisioning.runner import Runner
from provisioning.settings import ProvisioningSettings, database_urls
from provisioning.storage import steps_left
from provisioning.sweep import sweep_for_ever

NAME = "provisioning"


def build(settings: ProvisioningSettings) -> Service:
    """The service provisioning, with the adapter of each environment that it drives."""
    urls = database_urls(settings.workspaces_url, settings.postgres_environments)
    hosts: dict[str, Host] = {}
    if settings.environments_file is not None:
        adapters = read_adapters(settings.environments_file, production=settings.production)
        hosts = adapters.hosts
        urls |= dict.fromkeys(adapters.postgres, settings.workspaces_url)
    environments: dict[str, Environment] = {
        environment_id: PostgresEnvironment(
            settings.holder_url, url, backed_up=settings.workspaces_backed_up, backups=settings.workspaces_backups
        )
        for environment_id, url in urls.items()
    }
    environments |= {name: HttpEnvironment(host, settings.holder_url) for name, host in hosts.items()}
    progress = Progress(
        environments, settings.deletion_after_days, settings.deletion_alarm_days, settings.terms_required
    )
    handlers = Handlers(progress)
    looks = Looks()
    signers = Signers(settings.certificate_key) if settings.certificate_key else None

    def routes(runtime: Runtime) -> Sequence[BaseRoute]:
        return [
            *lists(runtime, signers),
            *Reports(runtime, {name: host.keys for name, host in hosts.items()}, looks).routes(),
        ]

    def tasks(runtime: Runtime) -> Sequence[Coroutine[object, object, None]]:
        runner = Runner(runtime, progress, environments, settings, signers)
        return [
            *(runner.run() for _ in range(settings.workers)),
            sweep_for_ever(runtime, progress, environments, settings, looks),
        ]

    return Service(
        name=NAME,
        topics=(DECISIONS, ENVIRONMENTS, OPTOUTS, CATALOGUE, REQUESTS),
        facts={fact.event_type: fact for fact in FACTS},
        handle=handlers.handle,
        on_timer=handlers.on_timer,
        migrations="provisioning.migrations",
        routes=routes,
        tasks=tasks,
        pending=steps_left,
    )
