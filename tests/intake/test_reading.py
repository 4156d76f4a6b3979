"""What portals send, read: every fault of text, shape and dates, with its place."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import portals
from contracts.envelope import Unreadable
from contracts.registry import facts_of
from intake.commands import Complete, Notify, Withdraw
from intake.problems import DETAILS, MOST, Problem, in_order, pointer
from intake.reading import HEARD, read_addition, read_submission, speaker, submit

NOON = datetime(2026, 9, 1, 12, tzinfo=UTC)
Submission = Callable[..., bytes]


def places(problems: tuple[Problem, ...]) -> list[tuple[str, str]]:
    return [(problem.code, problem.pointer) for problem in problems]


def test_a_good_dossier_has_no_problems(submission: Submission) -> None:
    found = read_submission(submission())
    assert found.problems == ()
    assert found.dossier is not None
    assert submit(found, submission(), NOON) is not None


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"title": "a\u0000b c"}, ("control-character", "/dossier/title")),
        ({"title": "half \ud83d a face"}, ("not-unicode", "/dossier/title")),
        ({"conformity_declared.date": "9999-01-01"}, ("date-out-of-range", "/dossier/conformity_declared/date")),
        ({"conformity_declared.date": "2026-02-30"}, ("not-a-date", "/dossier/conformity_declared/date")),
        ({"lab.last_audit": "1066-10-14"}, ("date-out-of-range", "/dossier/lab/last_audit")),
        ({"data.datasets.0.years": [2024, 2014]}, ("years-reversed", "/dossier/data/datasets/0/years")),
        ({"data.datasets.0.years": [2024]}, ("too-short", "/dossier/data/datasets/0/years")),
        ({"research_type": "alchemy"}, ("not-allowed", "/dossier/research_type")),
        ({"requested_months": 0}, ("out-of-range", "/dossier/requested_months")),
        ({"documents.0.sha256": "ABC"}, ("wrong-form", "/dossier/documents/0/sha256")),
        ({"documents.1.language": None}, ("not-allowed", "/dossier/documents/1/language")),
        ({"persons.0.name": "Somebody"}, ("unknown-member", "/dossier/persons/0/name")),
        ({"persons.0.an e-mail@address": 1}, ("unknown-member", "/dossier/persons/0")),
    ],
)
def test_a_fault_is_named_with_its_place(make_dossier: Any, changes: dict[str, Any], expected: tuple[str, str]) -> None:
    found = read_submission(json.dumps({"dossier": make_dossier(**changes)}).encode())
    assert places(found.problems) == [expected]
    assert found.dossier is None


def test_a_fault_in_the_shape_hides_no_other(make_dossier: Any) -> None:
    dossier = make_dossier(**{"lab.last_audit": "9999-01-01", "data.datasets.0.years": [2, 1]})
    del dossier["applicant"]
    found = read_submission(json.dumps({"dossier": dossier}).encode())
    assert places(found.problems) == [
        ("missing-member", "/dossier/applicant"),
        ("years-reversed", "/dossier/data/datasets/0/years"),
        ("out-of-range", "/dossier/data/datasets/0/years/0"),
        ("out-of-range", "/dossier/data/datasets/0/years/1"),
        ("date-out-of-range", "/dossier/lab/last_audit"),
    ]
    assert [dataset.dataset_id for dataset in found.named.datasets] == ["snds-main"]


@pytest.mark.parametrize("revision", [0, -1, "1", 1.0, True, None, 2**53, 10**40])
def test_a_dossier_that_does_not_say_its_revision_is_no_command(make_dossier: Any, revision: Any) -> None:
    data = json.dumps({"dossier": make_dossier(revision=revision)}).encode()
    found = read_submission(data)
    assert [place for _, place in places(found.problems)] == ["/dossier/revision"]
    assert submit(found, data, NOON) is None


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b'{"dossier": NaN}', b'{"a":1,"a":2}', b"\xff", b"[" * 100_000])
def test_what_is_not_an_object_is_unreadable(data: bytes) -> None:
    with pytest.raises(Unreadable):
        read_submission(data)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_any_dossier_is_read_without_an_error(inside: Any) -> None:
    found = read_submission(json.dumps({"dossier": inside}).encode())
    assert found.problems
    assert all(problem.detail for problem in found.problems)


@given(st.data())
def test_one_member_replaced_by_anything_is_read_without_an_error(make_dossier: Any, data: st.DataObject) -> None:
    dossier = make_dossier()
    name = data.draw(st.sampled_from(sorted(dossier)))
    dossier[name] = data.draw(st.none() | st.integers() | st.text() | st.lists(st.none()) | st.just({}))
    found = read_submission(json.dumps({"dossier": dossier}).encode())
    assert (found.dossier is None) == bool(found.problems)


@given(st.lists(st.integers(0, 99) | st.text()))
def test_a_pointer_holds_plain_names_only(path: list[str | int]) -> None:
    assert all(character.isalnum() or character in "/_-" for character in pointer(path))


def test_no_answer_lists_more_problems_than_a_person_reads(make_dossier: Any) -> None:
    found = read_submission(json.dumps({"dossier": make_dossier(persons=[1] * 5000)}).encode())
    assert len(found.problems) == MOST


def test_problems_are_sorted_and_said_once() -> None:
    twice = [Problem("not-allowed", "/b"), Problem("not-allowed", "/a"), Problem("not-allowed", "/b")]
    assert in_order(twice) == (Problem("not-allowed", "/a"), Problem("not-allowed", "/b"))
    assert all(detail and detail[0].islower() for detail in DETAILS.values())


@pytest.mark.parametrize(
    ("source", "portal"),
    [
        ("/portals/portal-hdh", "portal-hdh"),
        ("/portals/", None),
        ("/portals/a/b", None),
        ("portal-hdh", None),
        ("/authorities/HDH", None),
        ("/portals//portals/x", None),
    ],
)
def test_a_source_names_a_portal_or_none(source: str, portal: str | None) -> None:
    assert speaker(source) == portal


def test_additions_are_read_by_their_contracts() -> None:
    completion = read_addition(portals.RequestCompleted, "p", b'{"documents": [], "set": {"title": "New"}}', NOON)
    assert isinstance(completion, Complete)
    assert isinstance(read_addition(portals.RequestWithdrawn, "p", b'{"reason": "tolerated"}', NOON), Withdraw)
    notice = read_addition(portals.PermitAmendmentRequested, "p", b'{"add_datasets": ["d"], "x": 1}', NOON)
    assert isinstance(notice, Notify)
    assert (notice.notice, notice.data) == (
        "permit.amendment-requested.v1",
        {"add_datasets": ["d"], "remove_datasets": []},
    )


@pytest.mark.parametrize(
    ("kind", "data", "expected"),
    [
        (
            portals.OutputRequested,
            {"ref": "a b", "personal": False},
            [("missing-member", "/kind"), ("wrong-form", "/ref")],
        ),
        (portals.RequestAuthorityChosen, {"choice": "maybe"}, [("not-allowed", "/choice")]),
        (portals.PermitExtensionRequested, {"months": 1.5, "documents": True}, [("wrong-type", "/months")]),
        (portals.RequestWithdrawn, {"reason": "a\u0000"}, [("control-character", "/reason")]),
    ],
)
def test_the_faults_of_an_addition_are_named(kind: Any, data: Any, expected: list[tuple[str, str]]) -> None:
    found = read_addition(kind, "p", json.dumps(data).encode(), NOON)
    assert isinstance(found, tuple)
    assert places(found) == expected


def test_an_empty_completion_says_nothing() -> None:
    found = read_addition(portals.RequestCompleted, "p", b"{}", NOON)
    assert isinstance(found, Complete)
    assert places(found.problems) == [("nothing-to-complete", "")]


def test_every_event_of_portals_is_heard() -> None:
    assert facts_of(portals) == dict(HEARD)
