"""A whole provisioning service without a broker: its own database, a holder's, a workspaces database, real steps."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from chassis.errors import SURROUNDINGS, Kind, kind_of
from chassis.messages import Message
from chassis.runtime import Runtime
from chassis.supervision import wait_until
from chassis.topology import ensure_database, ensure_template
from contracts.compliance import PermitIssued, PermittedDataset
from contracts.dossier import Person
from contracts.envelope import Envelope
from contracts.facts import Fact
from contracts.hosts import EnvironmentRegistered
from contracts.identity import permit_id, workspace_id
from guichet.stack.postgres import Postgres
from provisioning.app import build
from provisioning.desk import Desk
from provisioning.environments import Cohort, Order, names
from provisioning.environments.postgres import PostgresEnvironment
from provisioning.project import Grant, Permit, Table
from provisioning.settings import ProvisioningSettings
from provisioning.synthetic import fill_holder

ENVIRONMENT = "env-souverain"
TRIES = 20
"""How often a message is handed over whose transaction the database would not finish."""
EVIDENCE = [
    {"type": kind, "issuer": "issuer-1", "reference": f"{kind}-1", "valid_from": "2025-01-01", "valid_to": "2032-12-31"}
    for kind in ("HDS", "SECNUMCLOUD", "SNDS_HOMOLOGATION", "SPE_73")
]


@pytest.fixture(scope="session")
async def holder_url(postgres: Postgres) -> str:
    """A holder with a few hundred synthetic persons, shared by all tests: it is only read."""
    url = await postgres.create_database()
    await fill_holder(url, persons=300)
    return url


@dataclass
class Bench:
    """The service under test, spoken to in facts and answering in facts."""

    runtime: Runtime
    holder_url: str
    workspaces_url: str
    request_id: str = field(default_factory=lambda: str(uuid4()))

    @property
    def workspace_id(self) -> str:
        return workspace_id(self.request_id)

    @property
    def settings(self) -> ProvisioningSettings:
        assert isinstance(self.runtime.settings, ProvisioningSettings)
        return self.runtime.settings

    def desk(self) -> Desk:
        """The operator's desk over this service."""
        settings = self.settings
        sandbox = settings.clock == "sandbox"
        return Desk(
            settings.database_url, self.workspaces_url, sandbox=sandbox, environments=settings.postgres_environments
        )

    async def tell(
        self, fact: Fact, *, key: str | None = None, source: str = "/x", time_: datetime | None = None
    ) -> None:
        """One message, as the engine hands it over: again, while the database is away or too slow."""
        key = key or getattr(fact, "request_id", None) or self.request_id
        envelope = Envelope(
            id=str(uuid4()), type=fact.event_type, source=source, subject=key, time=time_ or datetime.now(UTC)
        )
        message = Message(envelope, fact.wire(), fact, fact.topic, 0, 0, key.encode(), (), False)
        handle = self.runtime.service.handle
        assert handle is not None
        for attempt in range(TRIES):
            try:
                async with self.runtime.transaction() as transaction:
                    return await handle(transaction, [message])
            except SURROUNDINGS as error:
                if kind_of(error) is not Kind.UNAVAILABLE or attempt == TRIES - 1:
                    raise
        return None

    async def register(self, environment_id: str = ENVIRONMENT, evidence: Sequence[dict[str, str]] = EVIDENCE) -> None:
        fact = EnvironmentRegistered.model_validate_json(
            json.dumps(
                {
                    "environment_id": environment_id,
                    "operator": "operator",
                    "storage_country": "FR",
                    "controlling_jurisdiction": "FR",
                    "adequacy": False,
                    "evidence": list(evidence),
                }
            )
        )
        await self.tell(fact, key=environment_id, source=f"/hosts/{environment_id}")

    async def said(self, request_id: str | None = None) -> list[tuple[str, dict[str, Any]]]:
        """Everything said so far about one request, in order: short type and data."""
        async with self.runtime.database.connection() as connection:
            rows = await connection.fetch(
                "SELECT type, body FROM chassis.facts WHERE key = $1 ORDER BY event_id", request_id or self.request_id
            )
        return [(row["type"].removeprefix("guichet.").removesuffix(".v1"), json.loads(row["body"])) for row in rows]

    async def until(
        self, kind: str, *, times: int = 1, request_id: str | None = None, seconds: float = 60
    ) -> dict[str, Any]:
        """The data of the n-th fact of a kind about a request, as soon as it is said."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                said = await self.said(request_id)
            except SURROUNDINGS as error:
                # A database that is too slow to answer is asked again; the deadline stays.
                if kind_of(error) is not Kind.UNAVAILABLE or time.monotonic() > deadline:
                    raise
                continue
            found = [data for name, data in said if name == kind]
            if len(found) >= times:
                return found[times - 1]
            assert time.monotonic() < deadline, f"{kind} was not said; said: {[name for name, _ in said]}"
            await asyncio.sleep(0.05)

    async def quiet(self, seconds: float = 60) -> None:
        """Until no step is left to do."""
        deadline = time.monotonic() + seconds
        async with self.runtime.database.connection() as connection:
            while await connection.fetchval("SELECT count(*) FROM steps"):
                assert time.monotonic() < deadline, "steps are left"
                await asyncio.sleep(0.05)

    async def as_person(self, ref: str) -> asyncpg.Connection:
        """A session of a person with a fresh password."""
        async with self.desk() as desk:
            return await asyncpg.connect(await desk.connect(self.workspace_id, ref))


def permit(request_id: str, **changes: Any) -> PermitIssued:
    """A French declaration over the SNDS main base with two persons, changed as told."""
    given: dict[str, Any] = {
        "request_id": request_id,
        "on": date(2026, 9, 1),
        "permit_id": permit_id(request_id),
        "kind": "declaration",
        "version": 1,
        "regime": "FR",
        "rule_pack": "fr-2026.1",
        "input_hash": "0" * 64,
        "issued_on": date(2026, 9, 1),
        "expires_on": date(2031, 9, 1),
        "months": 60,
        "persons": (person("p-pi"), person("p-an1")),
        "datasets": (dataset("snds-main"),),
        "form": "pseudonymised",
        "includes_opted_out": False,
        "full_birth_date": False,
        "crosses_potential_identifiers": False,
        "environment_id": ENVIRONMENT,
        "state_body": False,
        "conditions": (),
        "citation": "CNIL:2023-082",
    }
    return PermitIssued(**(given | changes))


def person(ref: str, habilitated: bool = True, signed: bool = True) -> Person:
    return Person(
        ref=ref, role="analyst", organisation="univ-ouest", habilitated=habilitated, confidentiality_signed=signed
    )


def dataset(
    dataset_id: str, categories: tuple[str, ...] = ("a", "e"), years: tuple[int, int] = (2014, 2024)
) -> PermittedDataset:
    source, kind = ("SNDS_MAIN", "snds") if dataset_id.startswith("snds") else ("EDS", "health")
    return PermittedDataset.model_validate(
        {
            "dataset_id": dataset_id,
            "version": "1",
            "source": source,
            "class": kind,
            "holder": "cnam",
            "categories": categories,
            "years": years,
        }
    )


async def kept(runtime: Runtime, number: int) -> None:
    """One loop of the service, begun again as the chassis begins it: after trouble that passes, such as a deadlock."""
    tasks = runtime.service.tasks
    assert tasks is not None
    while True:
        loops = list(tasks(runtime))
        loop = loops.pop(number)
        for other in loops:
            other.close()
        try:
            return await loop
        except SURROUNDINGS as error:
            if runtime.stopping.is_set() or kind_of(error) is not Kind.UNAVAILABLE:
                raise
        await wait_until(runtime.stopping, 0.2)


@asynccontextmanager
async def running(postgres: Postgres, holder_url: str, *, steps: bool = True, **settings: Any) -> AsyncIterator[Bench]:
    """A service of its own; with `steps` false, somebody else must do them."""
    database_url = await postgres.create_database()
    workspaces_url = settings.pop("workspaces_url", None) or await postgres.create_database()
    given = ProvisioningSettings(
        kafka=("127.0.0.1:1",),
        database_url=database_url,
        holder_url=holder_url,
        workspaces_url=workspaces_url,
        **{"postgres_environments": (ENVIRONMENT,), "lease_seconds": 2, **settings},
    )
    runtime = Runtime(build(given), given)
    await runtime.database.open()
    await runtime.database.migrate("provisioning.migrations")
    loops = [asyncio.ensure_future(kept(runtime, number)) for number in range(given.workers + 1)] if steps else []
    try:
        bench = Bench(runtime, holder_url, workspaces_url)
        await bench.register()
        yield bench
        for loop in loops:
            if loop.done():
                loop.result()
                raise AssertionError("a loop ended by itself")
    finally:
        runtime.stopping.set()
        if loops:
            await asyncio.wait(loops)
        await runtime.database.close()


@pytest.fixture
async def bench(postgres: Postgres, holder_url: str) -> AsyncIterator[Bench]:
    """A service with its steps running."""
    async with running(postgres, holder_url) as made:
        yield made


SNDS = Grant("snds-main", "1", "snds", "cnam", ("a", "e"), 2014, 2024)
SOON = timedelta(days=30)


@dataclass
class Place:
    """The workspaces database of an owner who is no superuser, with two open workspaces in it."""

    environment: PostgresEnvironment
    holder_url: str
    workspaces_url: str
    postgres: Postgres
    first: str
    second: str
    keys: dict[str, bytes]
    tables: dict[str, tuple[Table, ...]]

    def admin_url(self, workspace_id: str) -> str:
        """The superuser's connection to the database of a workspace."""
        return self.postgres.url_of(self.postgres.superuser, self.postgres.password, names.schema(workspace_id))

    async def enter(self, workspace_id: str, ref: str = "p-1") -> asyncpg.Connection:
        return await asyncpg.connect(await self.environment.connect(workspace_id, ref, datetime.now(UTC) + SOON))


def bare_permit(**changes: bool) -> Permit:
    """A permit as an environment sees it."""
    return Permit("permit", 1, "declaration", "FR", date(2030, 1, 1), (), (SNDS,), "env", **changes)


@pytest.fixture(scope="module")
async def place(postgres: Postgres, holder_url: str) -> AsyncIterator[Place]:
    name, secret = f"ws{secrets.token_hex(4)}", secrets.token_urlsafe(12)
    # As `guichet up` does for every database of a stack; only a superuser can.
    admin = await asyncpg.connect(postgres.superuser_url)
    await ensure_database(admin, name, secret, makes_roles=True)
    await ensure_template(postgres.superuser_url, name)
    for row in await admin.fetch("SELECT datname FROM pg_database WHERE datallowconn AND datname <> $1", name):
        await admin.execute(f'REVOKE CONNECT, TEMPORARY ON DATABASE "{row["datname"]}" FROM PUBLIC')
    await admin.close()
    url = postgres.url_of(name, secret, name)
    environment = PostgresEnvironment(holder_url, url)
    made = Place(
        environment,
        holder_url,
        url,
        postgres,
        str(uuid4()),
        str(uuid4()),
        {},
        {},
    )
    for made_id in (made.first, made.second):
        order = Order(made_id, 1)
        key = made.keys[made_id] = secrets.token_bytes(32)
        await environment.prepare(order)
        cohort = Cohort(frozenset({"person-3", "person-5"}), key)
        extraction = await environment.fill(order, bare_permit(), [SNDS], cohort)
        made.tables[made_id] = extraction.tables[SNDS]
        await environment.admit(order, ["p-1", "p-2"], datetime.now(UTC) + SOON, False)
        await environment.open(order, made.tables[made_id])
    yield made
    for made_id in (made.first, made.second):
        await environment.destroy(Order(made_id, 9))


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("GUICHET_"):
            monkeypatch.delenv(name)
