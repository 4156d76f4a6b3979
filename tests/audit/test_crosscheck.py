"""An implementation that is not ours, golang.org/x/mod/sumdb, finds the same in what is exported."""

import asyncio
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from audit.exporting import Wanted
from guichet_verify.manifest import ALL
from signed_trails import KEY, REQUEST, export, say, sign

SOURCE = Path(__file__).parent / "crosscheck"
EXAMPLE = Path(__file__).parents[1] / "verifier" / "vectors" / "example.auditbundle"
EXAMPLE_KEY = "guichet.example/audit+7d747912+AddamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea"


@pytest.fixture(scope="module")
def go(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Go program, built once; skips where there is no Go, or no way to its one module."""
    if shutil.which("go") is None:
        pytest.skip("Go is not installed: the cross-check with golang.org/x/mod/sumdb was not made")
    folder = tmp_path_factory.mktemp("crosscheck")
    fetched = subprocess.run(["go", "mod", "download"], cwd=SOURCE, capture_output=True, timeout=300, check=False)
    if fetched.returncode:
        pytest.skip("golang.org/x/mod cannot be fetched: the cross-check with its sumdb was not made")
    subprocess.run(["go", "build", "-o", folder / "crosscheck", "."], cwd=SOURCE, check=True, timeout=600)
    return folder / "crosscheck"


def agrees(go: Path, folder: Path, vkey: str, origin: str) -> str:
    """What Go says of an unzipped log."""
    found = subprocess.run([go, folder, vkey, origin], capture_output=True, text=True, timeout=120, check=False)
    return (found.stdout or found.stderr).strip()


def unzipped(bundle: Path, folder: Path) -> Path:
    zipfile.ZipFile(bundle).extractall(folder)
    return folder / "logs"


def origin_of(log: Path) -> str:
    return (log / "checkpoint").read_text().split("\n")[0]


def test_go_agrees_with_the_worked_example(go: Path, tmp_path: Path) -> None:
    log = unzipped(EXAMPLE, tmp_path) / "0"
    assert agrees(go, log, EXAMPLE_KEY, origin_of(log)) == "4 leaves agree"
    assert "not a checkpoint of this log" in agrees(go, log, EXAMPLE_KEY, "elsewhere")


async def test_go_agrees_with_every_log_of_a_recorded_trail_and_not_with_a_changed_one(trail, go, tmp_path) -> None:
    await asyncio.gather(*(say(trail, REQUEST, number) for number in range(1, 101)))
    await trail.record()
    since = {origin: checkpoint.size for origin, checkpoint in (await sign(trail)).items()}
    await asyncio.gather(*(say(trail, REQUEST, number) for number in range(101, 701)))
    await trail.record()
    await sign(trail)
    await export(trail, tmp_path / "all", Wanted(ALL, since=since))
    await asyncio.to_thread(_compare, go, tmp_path)


def _compare(go: Path, tmp_path: Path) -> None:
    logs = unzipped(tmp_path / "all", tmp_path / "all-unzipped")
    vkey = KEY.log_key.vkey()
    said = sorted(agrees(go, log, vkey, origin_of(log)) for log in logs.iterdir())
    assert said == ["1 leaves agree", "701 leaves agree"]
    large = next(log for log in logs.iterdir() if (log / "tile" / "1").exists())
    assert list((large / "consistency").iterdir())
    for name in ("tile/entries/001", "tile/0/001", "tile/1/000.p/2", next((large / "consistency").iterdir())):
        path = large / name
        good = path.read_bytes()
        path.write_bytes(bytes([good[0] ^ 1]) + good[1:-2] + bytes([good[-2] ^ 1]) + good[-1:])
        assert "agree" not in agrees(go, large, vkey, origin_of(large)), name
        path.write_bytes(good)
    assert agrees(go, large, vkey, origin_of(large)) == "701 leaves agree"
