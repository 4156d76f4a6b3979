"""The whole story, as a person runs it."""

import asyncio
import json
import sys

import pytest

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
