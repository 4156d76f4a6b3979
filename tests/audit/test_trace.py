"""A story is readable: who, when in Paris, what in words, under which rule, and what is still due."""

import json
import re
from typing import get_args

import pytest

from compliance.periods import STEPS
from compliance.rulebook.texts import LANGUAGES
from contracts import vocabulary
from contracts.golden import KINDS, paths
from contracts.registry import FACTS
from contracts.structured import decode_structured
from guichet import trace_command
from guichet.trace_command import actor_of, open_periods, short_type
from guichet.trace_words import cited, moment, sentence, table, words_of
from programs import run_guichet
from provisioning.events import Step


def event(number, type_, data, cause=None, source="/guichet/compliance"):
    return {
        "id": f"e{number}",
        "type": f"guichet.{type_}.v1",
        "source": source,
        "time": "2029-06-04T08:00:15Z",
        "causation_id": cause,
        "unreadable": None,
        "data": data,
        "recorded": [{"origin": "o", "index": number, "leaf_hash": "00"}],
    }


DEADLINE = {
    "step": "permit_decision",
    "starts": "2029-06-04",
    "due": "2029-09-04",
    "silence": "none",
    "citation": "EHDS:68(4)",
}
STORY = {
    "request_id": "r",
    "subjects": ["r"],
    "events": [
        event(1, "request.submitted", {"dossier": {"citation": "never shown"}}, source="/portals/portal-hdh"),
        event(2, "route.determined", {"route": "EU_PERMIT", "rule_pack": "eu-2029.1", "citation": "EHDS:68(4)"}, "e1"),
        event(3, "deadline.started", DEADLINE, "e2"),
    ],
}


def test_a_story_is_a_tree_of_causes(capsys):
    trace_command._show(STORY, "en")
    assert capsys.readouterr().out.splitlines() == [
        "request r",
        "└── 2029-06-04 10:00:15  portal-hdh  the portal submits the dossier",
        "    └── 2029-06-04 10:00:15  compliance  route EU_PERMIT under eu-2029.1",
        "            EHDS:68(4)",
        "        └── 2029-06-04 10:00:15  compliance  "
        "period for permit decision, due 4 Sep 2029; silence has no effect",
        "                EHDS:68(4)",
        "3 events recorded",
        "running: permit decision due 4 Sep 2029, silence has no effect (EHDS:68(4))",
    ]


def test_the_same_story_is_told_in_french(capsys):
    late = event(4, "deadline.met", DEADLINE | {"late": True}, "e2") | {"unreadable": "not-json", "time": None}
    trace_command._show(STORY | {"events": [*STORY["events"][:2], late]}, "fr")
    assert capsys.readouterr().out.splitlines() == [
        "demande r",
        "└── 2029-06-04 10:00:15  portal-hdh  le portail dépose le dossier",
        "    └── 2029-06-04 10:00:15  compliance  voie EU_PERMIT selon eu-2029.1",
        "            EHDS:68(4)",
        "        └── sans heure           compliance  "
        "hors délai : la décision sur l'autorisation (échéance le 4 septembre 2029)",
        "                EHDS:68(4)",
        "                illisible : not-json",
        "événements enregistrés : 3",
    ]


def test_a_code_is_said_in_words_in_the_language_asked_for(capsys):
    reasons = [{"code": "SUSPENSION_ORDERED", "citation": "EHDS:63(3)"}, {"code": "NO_RULE", "citation": "EHDS:54"}]
    story = STORY | {"events": [event(1, "permit.suspended", {"reasons": reasons})]}
    for lang, words in (
        ("en", "The permit is suspended by order"),
        ("fr", "L'autorisation est suspendue par décision"),
    ):
        trace_command._show(story, lang)
        shown = capsys.readouterr().out.splitlines()
        assert shown[2].split("  ")[-2:] == ["SUSPENSION_ORDERED EHDS:63(3)", words]
        assert shown[3].endswith("NO_RULE EHDS:54")


def test_a_period_that_was_met_is_not_running():
    met = event(4, "deadline.met", DEADLINE | {"late": False}, "e3")
    assert open_periods([*STORY["events"], met], "en") == []
    longer = event(4, "deadline.extended", DEADLINE | {"due": "2029-12-04", "previous_due": "2029-09-04"})
    assert open_periods([*STORY["events"], longer], "en")[0].startswith("running: permit decision due 4 Dec 2029")
    assert open_periods([*STORY["events"], longer], "fr") == [
        "en cours : la décision sur l'autorisation, échéance le 4 décembre 2029, le silence est sans effet (EHDS:68(4))"
    ]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_no_event_is_without_words_whatever_its_data(lang):
    for type_ in FACTS:
        for data in ({}, {"step": 1, "due": None, "datasets": "x", "persons": 3, "criteria": [1]}):
            assert words_of(short_type(type_), data, lang)
    assert words_of("aggregate.seen-later", {}, lang) == "aggregate seen later"


def test_every_event_has_a_sentence_in_both_languages_and_no_sentence_is_of_another():
    assert {name.partition(", ")[0] for name in table()["sentences"]} == {short_type(type_) for type_ in FACTS}
    for group, entries in table().items():
        for name, said in entries.items():
            assert list(said) == list(LANGUAGES), f"{group}.{name}"
            assert all(said.values()), f"{group}.{name}"


def test_the_two_languages_say_it_of_the_same_members():
    names = re.compile(r"{([a-z_]+)")
    for group in ("sentences", "around"):
        for name, said in table()[group].items():
            assert sorted(names.findall(said["en"])) == sorted(names.findall(said["fr"])), name
            assert said["en"] != said["fr"] or name == "dataset.described", name


def test_french_puts_a_space_before_its_double_signs():
    for entries in table().values():
        for said in entries.values():
            assert not re.search(r"\w[:;?!](\s|$)", re.sub(r"{[^}]*}", "x", str(said["fr"]))), said["fr"]


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("type_", FACTS)
def test_every_published_sample_is_told_by_its_sentence(type_, lang):
    for path in (path for kind in KINDS for path in paths(type_, kind)):
        data = json.loads(decode_structured(path.read_bytes())[1])
        told = sentence(short_type(type_), data, lang)
        assert told.strip() and "{" not in told and "None" not in told, path.name


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize(
    ("type_", "data", "english", "french"),
    [
        (
            "route.determined",
            {"route": None, "rule_pack": "fr-2026.1"},
            "route none under fr-2026.1",
            "aucune voie selon fr-2026.1",
        ),
        (
            "amendment.refused",
            {"add_datasets": [], "remove_datasets": []},
            "amendment refused (no dataset named)",
            "modification refusée (aucun jeu de données nommé)",
        ),
        (
            "amendment.refused",
            {"add_datasets": ["a"], "remove_datasets": ["b"]},
            "amendment refused (+a, -b)",
            "modification refusée (+a, -b)",
        ),
        (
            "appeal.recorded",
            {"outcome": None},
            "appeal on record against no outcome yet",
            "recours consigné, en l'absence d'issue à ce jour",
        ),
        (
            "data.requested",
            {"dataset_ids": ["a", "b"], "holder": "cnam", "due": None},
            "2 datasets asked of cnam",
            "2 jeux de données à livrer par cnam",
        ),
        (
            "output.assessed",
            {"ref": "o-1", "verdict": "in-review", "cells": []},
            "output o-1 in review",
            "sortie o-1 en cours de vérification",
        ),
        (
            "completeness.failed",
            {"missing": []},
            "0 items missing",
            "dossier incomplet : il manque 0 élément",
        ),
        (
            "opinion.issued",
            {"body": "HDAB-FR", "verdict": "favourable_with_recommendations"},
            "opinion of HDAB-FR: favourable with recommendations",
            "HDAB-FR rend son avis : favorable avec recommandations",
        ),
        (
            "incident.reported",
            {"kind": "SHARED_ACCESS"},
            "incident reported: SHARED_ACCESS (Access was shared with someone who is not authorised)",
            "incident signalé : SHARED_ACCESS (L'accès a été partagé avec une personne non autorisée)",
        ),
        (
            "assessment.recorded",
            {"finding": "SOMETHING_ELSE"},
            "assessment recorded: SOMETHING_ELSE",
            "évaluation consignée : SOMETHING_ELSE",
        ),
        (
            "decision.issued",
            {"body": "CNIL", "verdict": "refused"},
            "decision of CNIL: refused",
            "la CNIL statue : demande refusée",
        ),
        (
            "request.notice-recorded",
            {"notice": "permit.extension-requested.v1", "data": {"months": 12}},
            "notice of the portal recorded: an extension by 12 months is asked for",
            "avis du portail consigné : une prolongation de 12 mois est demandée",
        ),
        (
            "workspace.provisioned",
            {"tables": [{"rows": 6000}, {"rows": 195}], "opt_out_list_version": 0},
            "6,195 rows in 2 tables, opt-out list 0",
            "6\u202f195 lignes dans 2 tables, liste d'opposition 0",
        ),
        (
            "environment.rejected",
            {"environment_id": "e", "criteria": [{"met": True}, {"met": False}]},
            "environment e REJECTED (1 of 2 criteria met)",
            "environnement e NON CONFORME (1 sur 2 critères)",
        ),
        (
            "exclusion.ordered",
            {"until": "2030-01-01"},
            "exclusion ordered until 1 Jan 2030",
            "exclusion ordonnée jusqu'au 1er janvier 2030",
        ),
        (
            "workspace.person-needed",
            {"step": "plan-move"},
            "a person is needed: plan move",
            "une intervention humaine est nécessaire : préparation du transfert",
        ),
        (
            "key.destroyed",
            {"by": ["dpo-1", "archivist-2"]},
            "the key is destroyed by dpo-1 and archivist-2: what was sealed under it is erased",
            "la clé est détruite par dpo-1 et archivist-2 : ce qu'elle scellait est effacé",
        ),
    ],
)
def test_what_happened_is_said_with_what_the_event_carries(type_, data, english, french, lang):
    assert sentence(type_, data, lang) == (english if lang == "en" else french)


def test_every_coded_word_that_events_carry_has_words():
    closed = {
        "steps": STEPS,
        "work": [step.value for step in Step],
        "opinions": get_args(vocabulary.OpinionVerdict),
        "verdicts": get_args(vocabulary.Verdict),
        "output-verdicts": (*get_args(vocabulary.OutputVerdict), "in-review"),
        "workspaces": get_args(vocabulary.WorkspaceState),
        "choices": get_args(FACTS["guichet.request.authority-chosen.v1"].model_fields["choice"].annotation),
        "proposals": get_args(FACTS["guichet.holder-assessment.submitted.v1"].model_fields["proposal"].annotation),
        "output-kinds": get_args(FACTS["guichet.output.requested.v1"].model_fields["kind"].annotation),
    }
    for group, words in closed.items():
        assert set(table()[group]) == set(words), group


def test_a_free_text_is_shown_or_what_became_of_it_in_both_languages():
    for comment, english, french in (
        ("vu", "comment: “vu”", "commentaire : « vu »"),
        ({"$erased": "k"}, "comment: erased with its key", "commentaire : effacé avec sa clé"),
        ({"alg": "A256GCM"}, "comment: sealed, its key is not here", "commentaire : scellé, sa clé n'est pas ici"),
    ):
        refused = event(1, "refusal.confirmed", {"by": ["a-2"], "comment": comment})
        shown = {lang: str(trace_command._line(refused, lang)).splitlines()[1].strip() for lang in LANGUAGES}
        assert shown == {"en": english, "fr": french}


def test_codes_and_citations_are_shown_once_and_bare_citations_only_without_a_code():
    data = {"citation": "A:1", "reasons": [{"code": "X", "citation": "A:1"}, {"code": "X", "citation": "A:1"}]}
    assert list(cited(data)) == [("X", "A:1")]
    assert list(cited({"citation": "A:1", "criteria": [{"code": "MET", "citation": "B:2"}]})) == [("", "A:1")]


@pytest.mark.parametrize(
    ("text", "shown"), [(None, "no time"), ("x", "no time"), ("2026-01-01T00:30:00Z", "2026-01-01 01:30:00")]
)
def test_instants_are_those_of_the_wall_in_paris(text, shown):
    assert moment(text).strip() == shown


def test_an_actor_is_the_last_word_of_a_source():
    assert [actor_of(source) for source in ("/guichet/intake", "/", None, "x")] == ["intake", "unknown", "unknown", "x"]


async def guichet(*arguments):
    ran = await run_guichet(*arguments)
    return ran.code, ran.out, ran.err


async def test_audit_verify_says_whether_a_trail_holds_by_its_exit_code(trail):
    await trail.send(b"1")
    await trail.record()
    code, out, _ = await guichet("audit", "verify", "--database", trail.url)
    assert (code, out.splitlines()[-1]) == (0, "The trail holds.")
    await trail.tamper(
        "UPDATE audit.entry SET leaf = overlay(leaf PLACING '\\x32' FROM length(leaf)) WHERE leaf_index = 1"
    )
    code, out, _ = await guichet("audit", "verify", "--database", trail.url, "--json")
    report = json.loads(out)
    assert (code, report["holds"], report["leaves"]) == (12, False, 3)
    assert report["failures"][0] == {
        "level": "L2",
        "log": f"guichet.example/audit/trail/{trail.topic}/0/1",
        "index": 1,
        "reason": "leaf-differs-from-its-tile",
    }


async def test_audit_verify_of_a_database_without_a_trail_says_what_to_do(trail):
    code, _, error = await guichet("audit", "verify", "--database", await trail.postgres.create_database())
    assert (code, "holds no trail" in error, "→" in error) == (1, True, True)
