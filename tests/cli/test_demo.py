"""The whole story, as a person runs it."""

import asyncio
import json
import signal
import sys
from pathlib import Path

import pytest

from guichet.stack import processes

pytestmark = pytest.mark.journey


async def test_the_demo_comes_out_as_it_must() -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "guichet", "demo", "--json"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    found = json.loads(out)
    assert found["differences"] == [] and len(found["requests"]) >= 12
    assert found["trail"]["holds"] and found["trail"]["tampered_copy_refused"]
    assert found["requests"]["epilepsy"]["permit"] == "revoked"
    assert found["requests"]["burns"]["environment"] == "env-pmsi", "its workspace moved there"


async def test_a_demo_that_is_terminated_leaves_nothing_behind() -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "guichet", "demo"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert process.stdout
    home = Path((await process.stdout.readline()).decode().split()[-1])
    process.send_signal(signal.SIGTERM)
    await process.communicate()
    assert process.returncode == 130
    assert list(processes.members(home)) == [] and home not in home.parent.iterdir()
