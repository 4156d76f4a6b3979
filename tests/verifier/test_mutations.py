"""Every changed bundle is refused, at the level where it is wrong, within the memory and time that are promised."""

import json
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import made_bundles as made
from bundle_mutations import GOOD, MUTATIONS
from guichet_verify.policy import read_policy

POLICY = read_policy(made.POLICY.encode())
MEMORY = 500 << 20
SECONDS = 10

_JUDGE = """
import json, sys, time
from pathlib import Path
from guichet_verify.policy import read_policy
from guichet_verify.verification import Asked, verify_bundle
asked = Asked(read_policy(Path(sys.argv[1]).read_bytes()))
for line in sys.stdin:
    began = time.process_time()
    report = verify_bundle(Path(line.strip()), asked)
    print(json.dumps({**report.body(), "seconds": time.process_time() - began}), flush=True)
"""


def _limited() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


class Judge:
    """A verifier in a process that gets no more memory than is promised; what it cannot get ends it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        (folder / "policy").write_text(made.POLICY)
        self._process = subprocess.Popen(
            [sys.executable, "-c", _JUDGE, str(folder / "policy")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=_limited,
        )

    def judges(self, files: dict[str, bytes] | bytes) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(made.write(self._folder, files), file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        assert answer, "the verifier ended"
        report: dict[str, Any] = json.loads(answer)
        return report

    def close(self) -> None:
        self._process.communicate(timeout=60)


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Judge]:
    judge = Judge(tmp_path_factory.mktemp("bundles"))
    yield judge
    judge.close()


def test_the_bundle_that_is_changed_holds_before(judge: Judge) -> None:
    report = judge.judges(GOOD)
    assert report["failures"] == []
    assert report["levels"] == {**dict.fromkeys(report["levels"], "pass"), "L5": "not-asked"}


@pytest.mark.parametrize("name", MUTATIONS)
@pytest.mark.threat(19)
def test_a_changed_bundle_is_refused_where_it_is_wrong(name: str, judge: Judge) -> None:
    level, mutate = MUTATIONS[name]
    report = judge.judges(mutate(dict(GOOD)))
    assert (report["exit_code"], report["holds"]) == (10 + level, False), report["failures"]
    assert report["failures"][0]["level"] == f"L{level}"
    assert all(each["reason"].isprintable() for each in report["failures"])
    assert report["seconds"] < SECONDS


def test_there_are_mutations_of_every_level_that_needs_no_more_than_a_bundle() -> None:
    assert len(MUTATIONS) >= 60
    assert {level for level, _ in MUTATIONS.values()} == {0, 1, 2, 3, 4, 6, 7}
