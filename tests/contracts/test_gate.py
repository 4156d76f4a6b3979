"""The gate lets optional members in and nothing else, and says why in words a person understands."""

from collections.abc import Callable
from typing import Annotated, Literal

import pytest
from pydantic import Field, create_model

from contracts import publication, topics
from contracts.facts import NOT_NULL, OPTIONAL, Fact, Shape
from contracts.registry import FACTS, short
from contracts.vocabulary import Reference
from guichet import contracts_gate as gate


class Item(Shape):
    code: Reference


def version(**members: object) -> Fact:
    """A made-up fact as one release knows it: members and their types."""
    usual: dict[str, object] = {
        "ref": (Reference, ...),
        "verdict": (Literal["granted", "refused"], ...),
        "months": (Annotated[int, Field(ge=1, le=120)], ...),
        "note": (str | None, OPTIONAL),
        "items": (tuple[Item, ...], ...),
    }
    chosen = {name: member for name, member in {**usual, **members}.items() if member is not None}
    return create_model("Made", __base__=Fact, __doc__="Said in a test.", **chosen)  # type: ignore[call-overload,no-any-return]  # made up


def between(old: Fact, new: Fact) -> str:
    history = []
    for name, fact in (("release 1", old), ("the present", new)):
        fact.event_type, fact.topic = "guichet.made.up.v1", topics.PORTAL  # type: ignore[misc]  # the class itself is meant
        history.append(gate.release(name, publication.schema(fact)))  # type: ignore[arg-type]  # the same
    return "\n".join(map(str, gate.compare("made.up.v1", history)))


def test_the_same_schema_twice_is_compatible() -> None:
    assert between(version(), version()) == ""


class Wider(Item):
    citation: str | None = OPTIONAL


@pytest.mark.parametrize(
    "members",
    [
        {"comment": (str | None, OPTIONAL)},
        {"comment": (Annotated[Item | None, NOT_NULL], OPTIONAL)},
        {"seen_by": (tuple[Reference, ...] | None, OPTIONAL)},
        {"items": (tuple[Wider, ...], ...)},
    ],
)
def test_an_optional_member_may_be_added_at_any_depth(members: dict[str, object]) -> None:
    assert between(version(), version(**members)) == ""


class Renamed(Shape):
    code_name: Reference


class Closer(Item):
    citation: str


BREAKING: list[tuple[str, dict[str, object], str]] = [
    ("a required member removed", {"ref": None}, "`ref` is required by the reader and unknown to the writer"),
    ("an optional member removed", {"note": None}, "`note` was published and is gone or renamed"),
    ("a member renamed", {"ref": None, "reference": (Reference, ...)}, "`ref` was published and is gone or renamed"),
    ("a required member added", {"by": (Reference, ...)}, "`by` is required by the reader and unknown to the writer"),
    (
        "a member made optional",
        {"ref": (Reference | None, OPTIONAL)},
        "`ref` is required by the reader and may be left out",
    ),
    ("an optional member made required", {"note": (str, ...)}, "`note` is required by the reader and may be left out"),
    (
        "a value added",
        {"verdict": (Literal["granted", "refused", "split"], ...)},
        "`verdict` may be split, unknown to the reader",
    ),
    ("a value taken away", {"verdict": (Literal["granted"], ...)}, "`verdict` may be refused, unknown to the reader"),
    (
        "a list of values opened",
        {"verdict": (str, ...)},
        "`verdict` may hold any value, and the reader knows a list of them",
    ),
    ("a type changed", {"months": (str, ...)}, "`months` may be a text, and the reader expects a whole number"),
    ("null allowed", {"ref": (Reference | None, ...)}, "`ref` may be null, and the reader expects a text"),
    (
        "a bound narrowed",
        {"months": (Annotated[int, Field(ge=1, le=60)], ...)},
        "`months`: the reader asks for at most 60",
    ),
    (
        "a bound widened",
        {"months": (Annotated[int, Field(ge=1, le=600)], ...)},
        "`months`: the reader asks for at most 120",
    ),
    (
        "a bound taken away",
        {"months": (Annotated[int, Field(le=120)], ...)},
        "`months`: the reader asks for at least 1",
    ),
    ("another form", {"ref": (Annotated[str, Field(pattern="^x$")], ...)}, "`ref`: the reader asks for another form"),
    (
        "a part renamed in a list",
        {"items": (tuple[Renamed, ...], ...)},
        "`items[].code` was published and is gone or renamed",
    ),
    ("a part required in a list", {"items": (tuple[Closer, ...], ...)}, "`items[].citation` is required by the reader"),
    (
        "a list made shorter",
        {"items": (Annotated[tuple[Item, ...], Field(max_length=2)], ...)},
        "`items`: the reader asks for at most 2",
    ),
]


@pytest.mark.parametrize(("members", "reason"), [case[1:] for case in BREAKING], ids=[case[0] for case in BREAKING])
def test_anything_else_is_refused_with_a_reason_a_person_understands(members: dict[str, object], reason: str) -> None:
    assert reason in between(version(), version(**members))


def test_a_release_long_ago_counts_as_much_as_the_last_one() -> None:
    first, second, third = version(), version(note=None), version(note=(int | None, OPTIONAL))
    history = []
    for name, fact in (("release 1", first), ("release 2", second), ("the present", third)):
        fact.event_type, fact.topic = "guichet.made.up.v1", topics.PORTAL  # type: ignore[misc]  # the class itself is meant
        history.append(gate.release(name, publication.schema(fact)))  # type: ignore[arg-type]  # the same
    assert any(breach.writer == "release 1" and breach.reader == "the present" for breach in gate.compare("x", history))


@pytest.mark.parametrize("name", FACTS)
def test_the_proof_agrees_that_readers_take_what_writers_of_the_same_release_send(name: str) -> None:
    release = gate.release("the present", publication.schema(FACTS[name]))
    assert gate.judge(release.writer, release.reader) == []


STATUS = {"incompatible": {"counterexample_json": '{"ref": "x"}'}, "unknown": {"reason": "no proof"}, "compatible": {}}


@pytest.mark.parametrize(("status", "reasons"), [("incompatible", 1), ("unknown", 0), ("compatible", 0)])
def test_a_counterexample_of_the_newer_library_is_shown_and_a_missing_proof_leaves_it_to_us(
    status: str, reasons: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def analyse(_writer: str, _reader: str, _role: str) -> dict[str, object]:
        return {"status": status, **STATUS[status]}

    monkeypatch.setattr(gate.jsoncompat, "analyze_compat", analyse, raising=False)
    told = gate.judge({"type": "object"}, {"type": "object"})
    assert len(told) == reasons
    assert all('{"ref": "x"}' in reason for reason in told)


def test_a_keyword_the_comparison_does_not_know_is_not_let_through() -> None:
    odd: gate.Schema = {"type": "integer", "multipleOf": 2}
    assert gate.judge(odd, odd) == ["the data: the gate does not know how to compare multipleOf"]


def test_what_is_released_is_compatible_with_what_is_published_now() -> None:
    assert [str(breach) for breach in gate.breaches()] == []
    assert all(publication.releases(name) for name in FACTS)


def test_a_type_that_was_released_may_not_vanish(monkeypatch: pytest.MonkeyPatch) -> None:
    some = dict(FACTS)
    gone = some.popitem()[0]
    monkeypatch.setattr(gate, "FACTS", some)
    assert [(breach.type, breach.reasons) for breach in gate.breaches()] == [
        (short(gone), ("the type was released and nobody publishes it any more",))
    ]


@pytest.mark.parametrize(
    "clumsy", [lambda: gate.resolved({}, 7), lambda: gate.resolved({"a": {"$ref": "#/a"}}, {"$ref": "#/a"})]
)
def test_a_schema_that_cannot_be_resolved_is_said_to_be_so(clumsy: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match=r"refers to itself|is an object"):
        clumsy()
