"""`guichet contracts` as its users meet it."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from contracts import golden, publication
from contracts.registry import FACTS, read
from contracts.structured import decode_structured
from guichet.contracts_command import app, problems

run = CliRunner()


def test_check_says_that_all_is_true_and_exits_with_zero() -> None:
    result = run.invoke(app, ["check"])
    assert result.exit_code == 0
    assert result.stdout.startswith(f"{len(FACTS)} types: compatible")


def test_check_answers_machines_in_json() -> None:
    assert json.loads(run.invoke(app, ["check", "--json"]).stdout) == {
        "ok": True,
        "types": len(FACTS),
        "incompatible": [],
        "stale": [],
        "edited": [],
        "samples": [],
    }


def test_check_exits_with_one_and_says_what_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "samples").mkdir()
    monkeypatch.setattr(publication, "ROOT", tmp_path)
    monkeypatch.setattr(golden, "FOLDER", tmp_path / "samples")
    result = run.invoke(app, ["check"])
    assert result.exit_code == 1
    assert "schemas/clock.set.v1.json" in result.stdout
    assert "clock.set.v1/full is missing" in result.stdout
    assert "guichet contracts docs --write" in result.stdout
    assert set(problems()["samples"]) == set(golden.missing())


def test_a_sample_that_breaks_its_contract_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(golden.FOLDER, tmp_path, dirs_exist_ok=True)
    monkeypatch.setattr(golden, "FOLDER", tmp_path)
    path = tmp_path / "fee.estimated.v1" / "required.json"
    path.write_bytes(path.read_bytes().replace(b'"amount_eur"', b'"amount"'))
    assert problems()["samples"] == ["fee.estimated.v1/required does not follow its contract"]


@pytest.mark.parametrize("option", [[], ["--required"]])
@pytest.mark.parametrize("name", ["decision.issued.v1", "guichet.request.submitted.v1"])
def test_a_sample_is_an_event_that_can_be_read(name: str, option: list[str]) -> None:
    result = run.invoke(app, ["sample", name, *option])
    assert result.exit_code == 0
    envelope, data = decode_structured(result.stdout.encode())
    read(envelope, data, FACTS[envelope.type].topic)


def test_a_slip_of_the_pen_is_answered_with_what_may_be_meant() -> None:
    result = run.invoke(app, ["sample", "descision.issued.v1"])
    assert result.exit_code == 1
    assert "did you mean decision.issued.v1" in result.stderr


def test_docs_print_the_asyncapi_document_or_write_it(tmp_path: Path) -> None:
    text = publication.render()["asyncapi.yaml"]
    assert run.invoke(app, ["docs"]).stdout == text
    assert run.invoke(app, ["docs", "-o", str(tmp_path / "a.yaml")]).exit_code == 0
    assert (tmp_path / "a.yaml").read_text(encoding="utf-8") == text


@pytest.mark.parametrize("verb", ["check", "docs", "sample"])
def test_every_verb_has_help_with_an_example(verb: str) -> None:
    assert "Example: guichet contracts" in run.invoke(app, [verb, "--help"]).stdout
