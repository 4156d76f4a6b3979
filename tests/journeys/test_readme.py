"""What the README shows is run, and what it prints is what it shows, but for times, counts and identifiers."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from guichet.stack.state import new_home

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
VARIES = re.compile(r"[0-9][0-9a-f-]*|\b(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)\b")


def blocks(kind: str) -> list[str]:
    return [text for found, text in BLOCK.findall((ROOT / "README.md").read_text("utf-8")) if found == kind]


def alike(text: str) -> str:
    """A line without what differs from run to run: numbers, dates, ids, and how wide a column came out."""
    return " ".join(VARIES.sub("#", text).split())


def not_printed(shown: list[str], printed: str) -> list[str]:
    lines = {alike(line) for line in printed.splitlines()}
    return [line for text in shown for line in text.splitlines() if alike(line) not in lines]


def run(command: list[str], home: Path) -> str:
    here = Path(sys.executable).parent
    environment = os.environ | {
        "PATH": f"{here}:{os.environ['PATH']}",
        "GUICHET_HOME": str(home),
        "COLUMNS": "200",
        "LC_ALL": "C.UTF-8",  # English, wherever this runs
    }
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=540, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@pytest.fixture
def home() -> Iterator[Path]:
    """A home for the stack, whose processes end with the test whatever happened."""
    made = new_home("readme")
    yield made
    run(["guichet", "down"], made)
    shutil.rmtree(made, ignore_errors=True)


def test_the_commands_of_the_readme_print_what_it_shows(home: Path) -> None:
    script = "set -euo pipefail\n" + "\n".join(blocks("sh"))
    assert not_printed(blocks("output"), run(["bash", "-c", script], home)) == []


def test_the_demo_ends_as_the_readme_shows(home: Path) -> None:
    assert not_printed(blocks("demo"), run(["guichet", "demo"], home)) == []
