"""The smallest service there is, run as a process by the tests; TINY_* variables make it misbehave."""

import asyncio
import os
import sys
from collections.abc import Coroutine, Sequence
from datetime import timedelta

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from chassis.messages import Message
from chassis.runtime import Runtime, run
from chassis.service import Service, Timer
from chassis.settings import Settings, read_settings
from chassis.transaction import Transaction
from contracts.hosts import EnvironmentQualificationLost
from contracts.persons import OptoutRecorded
from contracts.topics import OPTOUTS

NAME = os.environ.get("TINY_NAME", "tiny")
DEADLINE = timedelta(days=30)


async def note(transaction: Transaction, messages: Sequence[Message]) -> None:
    for message in messages:
        assert isinstance(message.fact, OptoutRecorded)
        ref = message.fact.ref
        if ref == os.environ.get("TINY_STUMBLES_AT"):
            raise ValueError(f"stumbled at {ref}")
        await _insert(transaction, ref, "event")
        fact = EnvironmentQualificationLost(environment_id=ref, evidence="HDS")
        transaction.say(fact, subject=ref, key=ref, cause=message.envelope)
        await transaction.set_timer(ref, "deadline", transaction.now + DEADLINE)


async def elapse(transaction: Transaction, timer: Timer) -> None:
    await _insert(transaction, timer.subject, "timer")


async def _insert(transaction: Transaction, ref: str, how: str) -> None:
    await transaction.connection.execute("INSERT INTO notes VALUES ($1, $2, $3)", ref, transaction.now, how)


def routes(runtime: Runtime) -> Sequence[BaseRoute]:
    async def post(request: Request) -> Response:
        ref = request.path_params["ref"]
        if ref == os.environ.get("TINY_STUMBLES_AT"):
            raise ValueError(f"stumbled at {ref}")
        async with runtime.transaction("request", parent=request.headers.get("traceparent")) as transaction:
            await _insert(transaction, ref, "http")
            fact = EnvironmentQualificationLost(environment_id=ref, evidence="HDS")
            transaction.say(fact, subject=ref, key=ref)
        return JSONResponse({"now": runtime.clock.now().isoformat()}, 202)

    return [Route("/notes/{ref}", post, methods=["POST"])]


def tasks(runtime: Runtime) -> Sequence[Coroutine[object, object, None]]:
    async def idle() -> None:
        await runtime.stopping.wait()

    async def crash() -> None:
        raise ValueError(os.environ["TINY_CRASHES"])

    async def cling() -> None:
        while True:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                continue

    loops = [idle()]
    if "TINY_CRASHES" in os.environ:
        loops.append(crash())
    if "TINY_CLINGS" in os.environ:
        loops.append(cling())
    return loops


def build() -> Service:
    if "TINY_IDLE" in os.environ:
        return Service(name=NAME, migrations="tiny_migrations", routes=routes, tasks=tasks)
    return Service(
        name=NAME,
        topics=(OPTOUTS,),
        facts={OptoutRecorded.event_type: OptoutRecorded},
        handle=note,
        on_timer=elapse,
        migrations="tiny_migrations",
        routes=routes,
        tasks=tasks,
    )


if __name__ == "__main__":
    sys.exit(run(build(), read_settings(Settings)))
