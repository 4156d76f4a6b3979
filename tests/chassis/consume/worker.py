"""A worker process for the tests: engine, relay or both, on a real broker and a real database, until SIGTERM."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))

from workshop import Handler, Language, build_engine

from chassis.breaker import Limits
from chassis.consuming import Consuming
from chassis.database import Database
from chassis.metrics import Metrics
from chassis.relay import Relay
from chassis.supervision import Supervisor
from chassis.watchdog import Watchdog


async def main() -> int:
    told = json.loads(os.environ["WORKER"])
    servers = [told["kafka"]]
    database = Database(told["database"], service="echo")
    await database.open()
    language = Language.on(told["incoming"], told["outgoing"])
    stopping, code = asyncio.Event(), []
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)

    Path(told["ready"]).touch()  # noqa: ASYNC240 - once, before anything runs

    def give_up(exit_code: int) -> None:
        code.append(exit_code)
        stopping.set()

    metrics = Metrics()
    supervisor = Supervisor(stopping, metrics, give_up)
    relay = Relay(database, servers, metrics)
    engine = build_engine(
        database,
        language,
        Handler(language),
        committed=lambda said: relay.wake() if said else None,
        limits=Limits(letters_per_minute=1_000_000, share=1),
        name=told["group"],
    )
    consuming = Consuming(engine, servers, metrics)
    if "relay" in told["roles"]:
        supervisor.keep("relay", lambda: relay.run(stopping))
    if "engine" in told["roles"]:
        watchdog = Watchdog(engine, servers, metrics, give_up)
        supervisor.keep("consumer", lambda: consuming.run(stopping))
        supervisor.keep("engine", lambda: engine.run(stopping))
        supervisor.keep("watchdog", lambda: watchdog.run(stopping))
    await stopping.wait()
    await supervisor.stop()
    await consuming.stop()
    await relay.stop()
    await database.close()
    return code[0] if code else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
