"""`guichet assess` and `guichet deadlines` on good and bad input."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from guichet.assess_command import assess, deadlines

CASES = Path(__file__).parents[1] / "cases"
runner = CliRunner()


@pytest.fixture(scope="module")
def app() -> typer.Typer:
    app = typer.Typer()
    app.command()(assess)
    app.command()(deadlines)
    return app


def test_json_is_the_whole_output_and_nothing_else(app: typer.Typer) -> None:
    done = runner.invoke(app, ["assess", str(CASES / "E14.json"), "--json"])

    assert done.exit_code == 0
    assert list(json.loads(done.stdout)) == [
        "case_id",
        "regime",
        "as_of",
        "rule_pack",
        "route",
        "alternatives",
        "status",
        "outcome",
        "start_allowed",
        "reasons",
        "missing",
        "deadlines",
        "conditions",
        "actions",
        "datasets",
        "environment",
        "permit",
        "opt_outs",
        "outputs",
        "register",
    ]


def test_another_day_and_another_folder_of_reference_data(app: typer.Typer, tmp_path: Path) -> None:
    (tmp_path / "case.json").write_bytes((CASES / "F05a.json").read_bytes())
    arguments = ["assess", str(tmp_path / "case.json"), "--json", "--as-of", "2026-09-05", "--reference", str(CASES)]

    shown = json.loads(runner.invoke(app, arguments).stdout)
    assert (shown["as_of"], shown["status"]) == ("2026-09-05", "awaiting_transmission")


def test_people_see_codes_with_their_articles(app: typer.Typer) -> None:
    done = runner.invoke(app, ["assess", str(CASES / "F02b.json")], env={"COLUMNS": "160"})

    assert done.exit_code == 0
    for words in ("FR_STANDARD (LIL:66-III)", "RETENTION_RESULTS", "CSP:L1461-3", "SNDS_HOMOLOGATION_MISSING"):
        assert words in done.stdout


def test_deadlines(app: typer.Typer) -> None:
    done = runner.invoke(app, ["deadlines", str(CASES / "deadlines.json"), "--json"])

    assert {entry["id"]: entry["due"] for entry in json.loads(done.stdout)} == {
        entry["id"]: entry["due"] for entry in json.loads((CASES / "deadlines.json").read_text())
    }
    assert "committee_opinion" in runner.invoke(app, ["deadlines", str(CASES / "deadlines.json")]).stdout


def broken(tmp_path: Path, content: str) -> str:
    (tmp_path / "case.json").write_text(content)
    return str(tmp_path / "case.json")


@pytest.mark.parametrize(
    ("content", "codes"),
    [
        ("{", ["not-json"]),
        ("null", ["wrong-shape"]),
        ("[]", ["wrong-shape"]),
        ('{"id": 3, "dossier": {"kind": "x"}, "history": [{"at": "yesterday"}], "as_of": "soon"}', ["wrong-shape"]),
    ],
)
def test_what_is_no_case_is_named_with_exit_code_2(
    app: typer.Typer, tmp_path: Path, content: str, codes: list[str]
) -> None:
    done = runner.invoke(app, ["assess", broken(tmp_path, content), "--json", "--reference", str(CASES)])

    assert done.exit_code == 2
    assert done.stdout == ""
    for code in codes:
        assert code in done.stderr


def test_every_problem_is_named_at_once_and_no_value_is_repeated(app: typer.Typer, tmp_path: Path) -> None:
    raw = json.loads((CASES / "E14.json").read_text())
    raw["dossier"]["applicant"]["kind"] = "SECRET-MARKER"
    del raw["dossier"]["title"]
    raw["dossier"]["surplus"] = "SECRET-MARKER"
    raw["settings"] = {"fr.roll": "SECRET-MARKER", "no.such": 1}
    raw["history"].append({"at": "9999-12-31T00:00:00Z", "type": "fee.agreed.v1", "data": {}})
    raw["history"].append({"at": "SECRET-MARKER", "type": 7, "data": []})

    done = runner.invoke(app, ["assess", broken(tmp_path, json.dumps(raw)), "--reference", str(tmp_path)])
    assert done.exit_code == 2
    assert "SECRET-MARKER" not in done.stderr
    for where in (
        "/dossier/applicant/kind",
        "/dossier/title",
        "/dossier/surplus",
        "/settings/fr.roll",
        "unknown-setting",
        "/history/3/at",
        "/history/4/at",
        "/history/4/type",
        "/history/4/data",
        "catalogue.json",
        "environments.json",
    ):
        assert where in done.stderr


def test_unknown_references_are_named(app: typer.Typer, tmp_path: Path) -> None:
    raw = json.loads((CASES / "E14.json").read_text())
    raw["dossier"]["data"]["datasets"][1]["dataset_id"] = "nowhere"
    raw["dossier"]["environment_id"] = "env-nowhere"

    done = runner.invoke(app, ["assess", broken(tmp_path, json.dumps(raw)), "--reference", str(CASES)])
    assert done.exit_code == 2
    assert "/dossier/data/datasets/1/dataset_id" in done.stderr
    assert "unknown-environment" in done.stderr


def test_a_day_before_the_submission_is_refused(app: typer.Typer) -> None:
    done = runner.invoke(app, ["assess", str(CASES / "E14.json"), "--as-of", "2029-06-03"])

    assert done.exit_code == 2
    assert "not-submitted" in done.stderr


def test_bad_periods_are_named_at_once(app: typer.Typer, tmp_path: Path) -> None:
    entries = [
        {"id": "ok", "rule": "hearing", "start": "2030-03-25", "extended": False},
        {"id": "1", "rule": "nothing", "start": "2030-03-25"},
        {"id": "2", "rule": "hearing", "start": "2030-02-30"},
        {"id": "3", "rule": "hearing", "start": "9999-12-31"},
        {"rule": "hearing", "start": "2030-03-25", "extended": "yes"},
        7,
    ]
    done = runner.invoke(app, ["deadlines", broken(tmp_path, json.dumps(entries))])

    assert done.exit_code == 2
    for where in ("/1/rule", "/2/start", "/3/start", "/4/id", "/4/extended", "/5:"):
        assert where in done.stderr
