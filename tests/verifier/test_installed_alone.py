"""The verifier is installed without the product, with one dependency, and says the same."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
VECTORS = Path(__file__).parent / "vectors"
EXAMPLE = json.loads((VECTORS / "worked_example.json").read_text())


def uv(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """Runs the project's uv; skips where there is none, or where the registry cannot be reached."""
    own = ROOT / ".tools" / "bin" / "uv"
    found = str(own) if own.is_file() else shutil.which("uv")
    if found is None:
        pytest.skip("uv is not installed: the verifier was not installed alone")
    environment = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH")}
    ran = subprocess.run([found, *words], capture_output=True, text=True, timeout=300, env=environment, check=False)
    if ran.returncode and any(sign in ran.stderr.lower() for sign in ("dns", "connect", "network", "timed out")):
        pytest.skip("no package registry can be reached: the verifier was not installed alone")
    assert ran.returncode == 0, ran.stderr
    return ran


def test_the_verifier_alone_verifies_the_worked_example(tmp_path: Path) -> None:
    uv("build", "--wheel", "--out-dir", tmp_path, ROOT / "verifier")
    (wheel,) = tmp_path.glob("*.whl")
    uv("venv", "--python", sys.executable, tmp_path / "alone")
    python = tmp_path / "alone" / "bin" / "python"
    uv("pip", "install", "--python", python, wheel)
    installed = json.loads(uv("pip", "list", "--python", python, "--format", "json").stdout)
    assert {each["name"] for each in installed} <= {"guichet-verify", "cryptography", "cffi", "pycparser"}
    (tmp_path / "policy").write_text(EXAMPLE["policy"])
    (tmp_path / "held").write_text(EXAMPLE["held_checkpoint_size_2"])
    program = tmp_path / "alone" / "bin" / "guichet-verify"
    asked = [program, VECTORS / "example.auditbundle", "--policy", "policy", "--held", "held"]
    outside = {"PATH": "/usr/bin:/bin"}
    refused = subprocess.run(asked, cwd=tmp_path, env=outside, capture_output=True, text=True, timeout=60, check=False)
    assert (refused.returncode, "published" in refused.stderr) == (2, True)
    said = subprocess.run(
        [*asked, "--allow-published-keys", "--json"],
        cwd=tmp_path,
        env=outside,
        capture_output=True,
        timeout=60,
        check=False,
    )
    levels = json.loads(said.stdout)["levels"]
    assert (said.returncode, levels.pop("L5"), set(levels.values())) == (0, "not-asked", {"pass"})
