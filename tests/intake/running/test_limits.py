"""What the door does when too much comes, when the office is behind, and when the database is away."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from guichet.stack.kafka import Kafka
from guichet.stack.postgres import Postgres

pytestmark = [pytest.mark.kafka, pytest.mark.postgres]


NOWHERE = "127.0.0.1:1"


@pytest.fixture(scope="module")
async def strict_office(
    open_office: Any, postgres: Postgres, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Any]:
    """An office whose broker is away, and that is patient with nobody."""
    variables = {
        "GUICHET_EVENTS_PER_SECOND": "0.1",
        "GUICHET_EVENTS_AT_ONCE": "6",
        "GUICHET_OUTBOX_SECONDS": "1",
    }
    folder, url = tmp_path_factory.mktemp("strict"), await postgres.create_database()
    async with open_office(folder, NOWHERE, url, path="/startupz", **variables) as found:
        await found.fetch("INSERT INTO intake.dataset_versions VALUES ('snds-main', '2026.1')")
        await found.fetch("INSERT INTO intake.environments VALUES ('env-souverain')")
        yield found


async def test_a_portal_that_comes_too_fast_is_told_when_to_come_again(
    strict_office: Any, make_event: Any, make_dossier: Any
) -> None:
    event = make_event({"dossier": make_dossier(portal="portal-other", title="X")}, source="/portals/portal-other")
    answers = [await strict_office.post(event, portal="portal-other") for _ in range(7)]
    assert [answer.status_code for answer in answers] == [422] * 6 + [429]
    assert answers[-1].json()["code"] == "rate-limited"
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 10
    batch = await strict_office.post([event], portal="portal-other")
    assert (batch.status_code, batch.json()["code"]) == (429, "rate-limited")


async def test_an_office_whose_broker_is_away_takes_in_until_it_is_too_far_behind(
    strict_office: Any, make_event: Any, make_dossier: Any
) -> None:
    event = make_event({"dossier": make_dossier()})
    assert (await strict_office.post(event)).status_code == 202
    assert (await strict_office.post(event)).status_code == 202

    async def is_behind() -> bool:
        rows = await strict_office.fetch(
            "SELECT 1 FROM chassis.outbox WHERE created_at < clock_timestamp() - interval '2 s'"
        )
        return bool(rows)

    await strict_office.until(is_behind)
    answer = await strict_office.post(event)
    assert (answer.status_code, answer.json()["code"]) == (429, "back-pressure")
    assert int(answer.headers["retry-after"]) >= 1


class Wire:
    """A way to the database that can be cut and mended."""

    def __init__(self, host: str, port: int) -> None:
        self._there = (host, port)
        self._server: asyncio.Server | None = None
        self._ends: set[asyncio.StreamWriter] = set()
        self.port = 0

    async def mend(self) -> None:
        """Listens, on the same port as before."""
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        """Ends everything that goes on, and listens no more."""
        assert self._server is not None
        self._server.close()
        for end in self._ends:
            end.transport.abort()
        await self._server.wait_closed()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(*self._there)
        ends = {writer, far_writer}
        self._ends |= ends
        await asyncio.gather(self._copy(reader, far_writer), self._copy(far_reader, writer))
        self._ends -= ends

    async def _copy(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(65536):
                target.write(data)
                await target.drain()
        target.close()


async def test_an_office_without_its_database_is_closed_for_the_moment(
    open_office: Any, intake_broker: Kafka, postgres: Postgres, tmp_path: Any, make_event: Any, make_dossier: Any
) -> None:
    url = urlsplit(await postgres.create_database())
    assert url.hostname is not None
    assert url.port is not None
    wire = Wire(url.hostname, url.port)
    await wire.mend()
    detour = url._replace(netloc=url.netloc.replace(str(url.port), str(wire.port))).geturl()
    async with open_office(tmp_path, intake_broker.bootstrap, detour) as office:
        event = make_event({"dossier": make_dossier()})
        assert (await office.post(event)).status_code == 422
        await wire.cut()
        answer = await office.post(event)
        assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
        assert int(answer.headers["retry-after"]) >= 1
        assert (await office.get("/requests/x")).status_code == 404
        await wire.mend()

        async def answers_again() -> bool:
            return bool((await office.post(event)).status_code == 422)

        await office.until(answers_again)
    await wire.cut()
