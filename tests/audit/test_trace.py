"""A story is readable: who, when in Paris, what in words, under which rule, and what is still due."""

import json

import pytest

from contracts.registry import FACTS
from guichet import trace_command, trace_words
from guichet.trace_command import actor_of, local_time, open_periods, short_type
from guichet.trace_words import cited, words_of
from programs import run_guichet


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
    trace_command._show(STORY)
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
    assert open_periods([*STORY["events"], met]) == []
    longer = event(4, "deadline.extended", DEADLINE | {"due": "2029-12-04", "previous_due": "2029-09-04"})
    assert open_periods([*STORY["events"], longer])[0].startswith("running: permit decision due 4 Dec 2029")


def test_no_event_is_without_words_whatever_its_data():
    for type_ in FACTS:
        for data in ({}, {"step": 1, "due": None, "datasets": "x", "persons": 3, "criteria": [1]}):
            assert words_of(short_type(type_), data)


def test_every_sentence_is_of_an_event_that_exists():
    assert set(trace_words._SENTENCES) <= {short_type(type_) for type_ in FACTS}


def test_codes_and_citations_are_shown_once_and_bare_citations_only_without_a_code():
    data = {"citation": "A:1", "reasons": [{"code": "X", "citation": "A:1"}, {"code": "X", "citation": "A:1"}]}
    assert list(cited(data)) == [("X", "A:1")]
    assert list(cited({"citation": "A:1", "criteria": [{"code": "MET", "citation": "B:2"}]})) == [("", "A:1")]


@pytest.mark.parametrize(
    ("text", "shown"), [(None, "no time"), ("x", "no time"), ("2026-01-01T00:30:00Z", "2026-01-01 01:30:00")]
)
def test_instants_are_those_of_the_wall_in_paris(text, shown):
    assert local_time(text).strip() == shown


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
