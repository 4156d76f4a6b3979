"""Who asks how a stack is hears of a log that the signer does not sign."""

import asyncio
import io
import os
import socket
from pathlib import Path

import psutil
import uvicorn
from rich.console import Console

from audit.signing.app import routes
from audit.signing.signer import Signer
from audit.signing.state import BROKEN, SignerState
from chassis.server import build_app
from guichet.stack.report import report, table
from guichet.stack.state import Instance, PostgresState, Running, StackState

ORIGIN = "guichet.example/audit/trail/guichet.requests/0/1"


async def test_a_log_that_the_signer_does_not_sign_is_in_the_status_with_why(tmp_path: Path) -> None:
    signed = SignerState(tmp_path / "signer.db")
    assert signed.swap(ORIGIN, None, 5, bytes(32))
    app = build_app(routes(Signer([], signed), signed, lambda: True), lambda: True)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off", ws="none"))
        server.install_signal_handlers = lambda: None
        serving = asyncio.create_task(server.serve([listening]))
        own = Running(pid=os.getpid(), started=psutil.Process().create_time())
        signer = Instance(port=listening.getsockname()[1], running=own)
        state = StackState(cluster_id="c", postgres=PostgresState(port=1, password="p"), watchers={"signer": signer})
        before = await report(tmp_path, state)
        signed.mark(ORIGIN, BROKEN, "another-root-at-the-signed-size")
        found = await report(tmp_path, state)
        server.should_exit = True
        await serving
    signed.close()
    assert before["troubled"] == {}
    assert found["troubled"] == {ORIGIN: "broken: another-root-at-the-signed-size"}
    assert found["ready"] is False
    shown = io.StringIO()
    Console(file=shown, width=200).print(table(found))
    assert shown.getvalue().count("not ready") == 2, "the signer, and the whole"
