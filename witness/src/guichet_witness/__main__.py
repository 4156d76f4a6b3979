"""Runs a witness: `guichet-witness`, `guichet witness` or `python -m guichet_witness`.

Each option may also be given as a variable, such as GUICHET_WITNESS_STATE for --state.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import uvicorn
from aiokafka.errors import KafkaError

from guichet_verify.keyfiles import read_or_make
from guichet_verify.notes import Key, NotAKey, SigningKey, read_vkey
from guichet_verify.policy import NotAPolicy, read_policy
from guichet_witness.follow import Follower
from guichet_witness.server import build
from guichet_witness.state import State
from guichet_witness.witness import Witness

AGAIN_SECONDS = 1.0

log = logging.getLogger("guichet.witness")


def parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser("guichet-witness", description=__doc__)
    for name, what, default in (
        ("kafka", "bootstrap servers, host:port, separated by commas", None),
        (
            "log",
            "verifier keys of the logs to cosign, separated by white space, or a policy file that names them",
            None,
        ),
        ("name", "the name to cosign under, such as witness.example/guichet", None),
        ("key", "file of the private key, made when it is not there", None),
        ("state", "the SQLite file to remember in", None),
        ("listen", "host:port to answer on", "127.0.0.1:8090"),
    ):
        variable = "GUICHET_KAFKA" if name == "kafka" else f"GUICHET_WITNESS_{name.upper()}"
        given = os.environ.get(variable, default)
        parser.add_argument(f"--{name}", default=given, required=given is None, help=f"{what} (or {variable})")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Until SIGTERM; 0 after an ordered stop, 78 when a key is none."""
    options = parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stdout)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        key = read_or_make(Path(options.key), options.name)
        logs = _logs(options.log)
    except (NotAKey, NotAPolicy, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 78
    log.info("cosigning as %s", key.cosigner_key.vkey())
    host, _, port = options.listen.rpartition(":")
    return asyncio.run(_serve(options.kafka.split(","), key, logs, Path(options.state), host, int(port)))


def _logs(given: str) -> list[Key]:
    path = Path(given)
    return read_policy(path.read_bytes()).logs if path.is_file() else [read_vkey(each) for each in given.split()]


async def _serve(kafka: Sequence[str], key: SigningKey, logs: list[Key], path: Path, host: str, port: int) -> int:
    state = State(path)
    follower = Follower(kafka, state)
    app = build(Witness(key, logs, state, follower), follower, state)
    server = uvicorn.Server(
        uvicorn.Config(app, host, port, http="h11", ws="none", lifespan="off", log_config=None, access_log=False)
    )
    following = asyncio.create_task(_follow(follower))
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, following.cancel)
    serving = asyncio.create_task(server.serve())
    try:
        await asyncio.wait({following, serving}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        server.should_exit = True
        following.cancel()
        await asyncio.gather(following, serving, return_exceptions=True)
        state.close()
    return 0


async def _follow(follower: Follower) -> None:
    """Follows the topics however often the broker goes away."""
    while True:
        try:
            await follower.run()
        except (KafkaError, OSError, TimeoutError) as error:
            log.warning("waiting for the broker: %s", type(error).__name__)
        await asyncio.sleep(AGAIN_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
