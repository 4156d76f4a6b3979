"""`guichet rules` for a civil servant, for a machine, and for `make check`; `guichet assess` in two languages."""

import json
import shutil
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from guichet.assess_command import assess
from guichet.language import in_words, language
from guichet.rules_command import app as rules

ROOT = Path(__file__).parents[2]
CASES = ROOT / "tests" / "cases"
runner = CliRunner()


def ask(*arguments: str, **environment: str) -> Result:
    return runner.invoke(rules, list(arguments), env={"COLUMNS": "160", "LC_ALL": "", "LANG": "", **environment})


def assessed(name: str, *arguments: str, **environment: str) -> Result:
    app = typer.Typer()
    app.command()(assess)
    given = [str(CASES / f"{name}.json"), "--reference", str(CASES), *arguments]
    return runner.invoke(app, given, env={"LC_ALL": "", "LC_MESSAGES": "", "LANG": "", **environment})


def test_a_code_is_explained_in_the_language_asked_for() -> None:
    english, french = ask("explain", "SILENCE_GRANTS"), ask("explain", "SILENCE_GRANTS", "--lang", "fr")

    assert "CNIL's silence grants the authorisation" in english.stdout
    assert "Le silence de la CNIL vaut autorisation" in french.stdout
    for shown in (english, french):
        assert shown.exit_code == 0
        assert "LIL:66-V" in shown.stdout
        assert "fr.silence-exception" in shown.stdout


def test_a_step_is_explained_with_its_length_its_extension_and_its_silence() -> None:
    shown = ask("explain", "authority_decision", "--lang", "fr").stdout

    for words in ("2 mois", "prolongeable une fois de 2 mois", "par décision motivée", "LIL:66-V", "la CNIL"):
        assert words in shown


def test_the_language_is_that_of_the_environment() -> None:
    assert "Le silence de la CNIL" in ask("explain", "SILENCE_GRANTS", LC_ALL="fr_FR.UTF-8").stdout
    assert language(None, {"LC_ALL": "", "LANG": "fr_BE"}) == "fr"
    assert language(None, {"LC_ALL": "C.UTF-8", "LANG": "fr_FR.UTF-8"}) == "en"
    assert language("en", {"LC_ALL": "fr_FR.UTF-8"}) == "en"
    assert language(None, {}) == "en"


def test_machines_get_both_languages_at_once() -> None:
    shown = json.loads(ask("explain", "committee_opinion", "--json").stdout)

    assert set(shown["title"]) == set(shown["text"]) == {"en", "fr"}
    assert shown["step"]["length"] == {"count": 1, "unit": "months"}
    assert shown["step"]["silence"] == "deemed-favourable"
    assert shown["rules"][0]["pack"] == "fr-2026.1"
    assert set(shown["articles"]) == {"D2019-536:90"}


def test_from_an_article_to_the_rules_that_rest_on_it() -> None:
    shown = json.loads(ask("explain", "LIL:66-V", "--json").stdout)

    assert {"SILENCE_GRANTS", "authority_decision", "LEGAL_REVIEW"} <= {rule["code"] for rule in shown["rules"]}
    assert all("LIL:66-V" in rule["citations"] for rule in shown["rules"])
    assert "Loi 78-17" in ask("explain", "lil:66-v", "--lang", "fr").stdout


def test_from_a_setting_to_what_it_leaves_open() -> None:
    shown = json.loads(ask("explain", "fr.urgent-days", "--json").stdout)

    assert (shown["value"], shown["confidence"]) == ("15", "low")
    assert [rule["code"] for rule in shown["rules"]] == ["committee_opinion_urgent"]
    assert "jours calendaires" in ask("explain", "fr.urgent-days", "--lang", "fr").stdout


def test_a_route_is_explained_with_its_conditions_in_order_and_its_documents() -> None:
    shown = json.loads(ask("explain", "FR_MR005", "--json").stdout)

    assert [rule["code"] for rule in shown["conditions"]] == [
        *("NOT_RNIPH", "NOT_ATIH_PLATFORM", "NOT_HOSPITAL", "LINKAGE_EXCLUDED")
    ]
    assert shown["documents"] == ["PROTOCOL", "SUMMARY", "DPIA"]
    assert "Écartée quand" in ask("explain", "FR_MR005", "--lang", "fr").stdout


def test_a_code_may_be_written_in_any_case() -> None:
    assert ask("explain", "silence_grants").exit_code == 0
    assert ask("explain", "COMMITTEE_OPINION").exit_code == 0


def test_an_unknown_code_is_refused_with_the_nearest_names() -> None:
    shown = ask("explain", "SILENCE_GRANT")

    assert shown.exit_code == 1
    assert "did you mean SILENCE_GRANTS?" in shown.stderr
    assert "guichet rules list" in ask("explain", "zzzzzz").stderr


def test_the_list_can_be_narrowed_to_a_regime() -> None:
    everything = json.loads(ask("list", "--json").stdout)
    european = json.loads(ask("list", "--regime", "EU", "--json").stdout)

    assert {rule["regime"] for rule in european} == {"EU"}
    assert [rule for rule in everything if rule["regime"] == "EU"] == european
    assert all(rule["citations"] and rule["title"]["fr"] for rule in everything)
    assert "FR_MR007/LINKAGE_EXCLUDED" in ask("list", "--regime", "FR").stdout


def test_the_page_is_up_to_date_and_every_rule_has_a_case() -> None:
    shown = ask("check", "--checkout", str(ROOT))

    assert shown.exit_code == 0, shown.stderr
    assert ask("page", "--check", "--checkout", str(ROOT)).exit_code == 0


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    shutil.copytree(CASES, tmp_path / "tests" / "cases")
    (tmp_path / "docs").mkdir()
    return tmp_path


def test_a_rule_without_a_case_fails_the_check(checkout: Path) -> None:
    assert ask("page", "--write", "--checkout", str(checkout)).exit_code == 0
    assert ask("page", "--check", "--checkout", str(checkout)).exit_code == 0

    for file in (checkout / "tests" / "cases").rglob("*.json"):
        if '"SNDS_OVER_20_YEARS"' in file.read_text():
            file.unlink()

    shown = ask("page", "--check", "--checkout", str(checkout))
    assert shown.exit_code == 1
    assert "no case exercises stop SNDS_OVER_20_YEARS (FR, CSP:L1461-1-IV)" in shown.stderr


def test_a_page_that_is_out_of_date_fails_the_check(checkout: Path) -> None:
    shown = ask("page", "--check", "--checkout", str(checkout))

    assert shown.exit_code == 1
    assert "guichet rules page --write" in shown.stderr


def test_packs_show_their_digests() -> None:
    shown = json.loads(ask("packs", "--json").stdout)

    assert [(pack["name"], pack["since"]) for pack in shown] == [
        ("fr-2026.1", "1900-01-01"),
        ("eu-2029.1", "2029-03-26"),
    ]
    assert all(len(pack["digest"]) == 64 for pack in shown)


def test_a_release_on_no_day_is_refused() -> None:
    assert ask("freeze", "--on", "tomorrow").exit_code == 2


def test_a_dossier_with_five_faults_is_explained_in_french() -> None:
    shown = assessed("own/R-F-five-faults", "--lang", "fr").stdout

    for words in (
        "Au 1er septembre 2026, selon fr-2026.1 : régime français",
        "incomplete : le dossier est incomplet",
        "Résumé public, en français",
        "L'analyse d'impact ne couvre pas l'environnement d'hébergement",
        "Déclaration de conformité",
        "Une personne n'est pas encore habilitée",
        "SNDS_HOMOLOGATION_MISSING",
        "le demandeur",
        "le Health Data Hub",
        "RGPD, art. 35 : analyse d'impact",
    ):
        assert words in shown


def test_a_deadline_is_said_in_words_with_what_silence_does_and_who_is_awaited() -> None:
    english, french = assessed("F05a", "--as-of", "2026-09-20"), assessed("F05a", "--as-of", "2026-09-20", LANG="fr_FR")

    for words in ("8 October 2026", "the committee CESREES", "running"):
        assert words in english.stdout
    for words in ("8 octobre 2026", "le CESREES", "en cours"):
        assert words in french.stdout


def test_uncertain_law_is_marked() -> None:
    assert "(confidence: low)" in assessed("own/R-F-opinion-late").stdout.replace("\n", " ")
    assert "Uncertain" not in assessed("F02a").stdout


def test_every_own_case_can_be_shown_in_both_languages() -> None:
    from datetime import date

    for name in ("own/R-E-incidents", "own/R-E-opt-out-exception", "own/R-F-rights-and-outputs", "E20a", "F07b"):
        for lang in ("en", "fr"):
            assert assessed(name, "--lang", lang).exit_code == 0
    assert in_words(date(2026, 8, 1), "fr") == "1er août 2026"
    assert in_words(date(2026, 8, 1), "en") == "1 August 2026"
