"""Every type is known once, belongs on one topic, and is read strictly."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from inspect import getdoc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import authorities, golden, identity, registry, topics
from contracts.envelope import MAX_BYTES, Envelope, Unreadable
from contracts.facts import Fact
from contracts.structured import decode_structured

DECISION = Envelope(
    "01940a2e-5b1c-7c11-9a52-6f0d7b1c2d3e",
    authorities.DecisionIssued.event_type,
    "/authorities/CNIL",
    "r-1",
    datetime(2026, 10, 1, tzinfo=UTC),
)
DATA = {"body": "CNIL", "verdict": "granted", "by": ["c-1"]}


def read(envelope: Envelope = DECISION, topic: str = topics.AUTHORITIES, **changes: object) -> Fact:
    return registry.read(envelope, json.dumps({**DATA, **changes}).encode(), topic)


def refusal(envelope: Envelope = DECISION, topic: str = topics.AUTHORITIES, **changes: object) -> Unreadable:
    with pytest.raises(Unreadable) as caught:
        read(envelope, topic, **changes)
    return caught.value


def test_a_decision_is_read_and_what_is_not_known_yet_is_ignored() -> None:
    assert read(new_member={"x": 1}) == authorities.DecisionIssued(body="CNIL", verdict="granted", by=("c-1",))


@pytest.mark.parametrize(
    ("type_", "code"),
    [
        ("guichet.decision.issued.v2", "unknown-version"),
        ("guichet.decision.unmade.v1", "unknown-type"),
        ("decision.issued.v1", "unknown-type"),
        ("guichet.decision.issued.v1\n", "unknown-type"),
    ],
)
def test_a_type_or_version_nobody_publishes_is_named_as_such(type_: str, code: str) -> None:
    assert refusal(replace(DECISION, type=type_)).code == code


def test_a_fact_on_another_topic_than_its_own_is_refused() -> None:
    assert refusal(topic=topics.PORTAL).code == "wrong-topic"


@pytest.mark.parametrize(
    "source", ["/portals/CNIL", "/authorities/", "/authorities", "authorities/CNIL", "/guichet/intake"]
)
def test_who_may_not_write_on_a_topic_is_not_believed(source: str) -> None:
    assert refusal(replace(DECISION, source=source)).code == "foreign-source"


def test_our_own_topics_take_exactly_their_writer() -> None:
    assert topics.source_belongs(topics.REQUESTS, "/guichet/intake")
    assert not topics.source_belongs(topics.REQUESTS, "/guichet/intake2")
    assert not topics.source_belongs("guichet.nothing", "/guichet/intake")
    assert all(topics.source_belongs(topics.DEAD_LETTERS, f"/guichet/{service}") for service in topics.SERVICES)


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"verdict": "maybe"}, "verdict"),
        ({"body": "CNIL\n"}, "body"),
        ({"months": 12.0}, "months"),
        ({"months": "12"}, "months"),
        ({"months": True}, "months"),
        ({"by": []}, "by"),
        ({"by": ["Marie Curie"]}, "by.0"),
        ({"reasons": ["because of Marie Curie"]}, "reasons.0"),
        ({"comment": "in clear"}, "comment"),
    ],
)
def test_wrong_data_are_refused_naming_the_member_and_never_its_value(changes: dict[str, object], path: str) -> None:
    unreadable = refusal(**changes)
    assert unreadable.code == "invalid-data"
    assert unreadable.detail.startswith(path + ":")
    assert "Curie" not in str(unreadable) and "maybe" not in str(unreadable) and "clear" not in str(unreadable)


def test_members_said_twice_are_refused() -> None:
    with pytest.raises(Unreadable) as caught:
        registry.read(
            DECISION, b'{"body": "CNIL", "verdict": "refused", "verdict": "granted", "by": ["c-1"]}', topics.AUTHORITIES
        )
    assert (caught.value.code, caught.value.detail) == ("invalid-data", "duplicate-member")


def test_what_is_larger_than_a_message_may_be_is_refused() -> None:
    assert refusal(filling="x" * MAX_BYTES).code == "too-large"


@given(
    st.sampled_from(list(registry.FACTS.values())),
    st.binary(max_size=60) | st.text().map(lambda t: json.dumps(t).encode()),
)
def test_whatever_the_data_are_reading_raises_nothing_but_unreadable(fact: type[Fact], data: bytes) -> None:
    try:
        registry.read_data(fact, data)
    except Unreadable:
        return


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=4,
)


@given(st.sampled_from(list(registry.FACTS)), st.integers(0, 20), json_values)
def test_a_sample_with_one_member_changed_is_read_or_unreadable(name: str, which: int, value: object) -> None:
    envelope, data = decode_structured(golden.sample(name))
    members = json.loads(data)
    if members:
        members[list(members)[which % len(members)]] = value
    try:
        registry.read(envelope, json.dumps(members).encode(), registry.FACTS[name].topic)
    except Unreadable:
        return


@pytest.mark.parametrize(
    "wall", ["2026-10-01 08:00:00Z", "2026-10-01T08:00Z", "2026-10-01T08:00:00", "1790841600", "1999-12-31T00:00:00Z"]
)
def test_a_moment_in_the_data_is_as_strict_as_the_time_of_the_event(wall: str) -> None:
    with pytest.raises(Unreadable) as caught:
        registry.read_data(registry.FACTS["guichet.clock.set.v1"], json.dumps({"instant": wall, "wall": wall}).encode())
    assert caught.value.detail == "instant: instant; wall: instant"


def test_half_a_character_is_no_text() -> None:
    assert refusal(body="\ud800").code == "invalid-data"


def test_every_type_has_the_form_of_a_type_and_says_when_it_is_said() -> None:
    for name, fact in registry.FACTS.items():
        aggregate, verb, version = registry.short(name).split(".")
        assert name == f"guichet.{aggregate}.{verb}.{version}" and version == "v1"
        assert fact.topic in topics.TOPICS
        doc = getdoc(fact) or ""
        assert doc.startswith("Said "), name


def test_each_publishers_module_says_who_publishes() -> None:
    for module in registry.PUBLISHERS:
        assert (module.__doc__ or "").startswith(("What ", "Facts "))
        written = {fact.topic for fact in registry.facts_of(module).values()}
        assert written, module.__name__
        if module is not registry.system:
            assert len(written) == 1, module.__name__


VOCABULARY = {
    topics.PORTAL: "request.submitted request.completed request.withdrawn request.authority-chosen "
    "request.conversion-agreed permit.persons-updated permit.amendment-requested "
    "permit.extension-requested permit.processing-completed permit.results-published "
    "permit.terms-accepted output.requested finding.reported appeal.lodged",
    topics.AUTHORITIES: "file.received completeness.objected period.extended opinion.issued interest.declared "
    "assessment.recorded request.forwarded decision.issued refusal.confirmed "
    "refusal.overridden fee.estimated fee.agreed answer.provided amendment.decided "
    "extension.decided suspension.ordered resumption.ordered revocation.ordered "
    "exclusion.ordered views.submitted extract.prepared output.checked",
    topics.CATALOGUE: "dataset.described dataset.withdrawn data.delivered holder-assessment.submitted",
    topics.OPTOUTS: "optout.recorded optout.reversed objection.received",
    topics.ENVIRONMENTS: "environment.registered environment.qualified environment.qualification-lost "
    "workspace.reported incident.reported deletion.certified",
    topics.REQUESTS: "request.accepted request.rejected request.revised submission.conflicted "
    "request.withdrawal-recorded request.notice-recorded",
    topics.DECISIONS: "route.determined completeness.passed completeness.failed deadline.started "
    "deadline.extended deadline.met deadline.elapsed deadline.stopped "
    "opinion.deemed-favourable authorisation.deemed-granted authorisation.not-obtained "
    "refusal.proposed request.granted request.refused request.lapsed request.converted "
    "request.closed permit.issued permit.amended permit.extended permit.suspended "
    "permit.resumed permit.revoked permit.expired permit.closed extension.refused "
    "amendment.refused applicant.excluded appeal.recorded dataset.check-overdue "
    "data.requested output.assessed noncompliance.found duty.overdue register.entry-published "
    "register.corrected",
    topics.WORKSPACES: "environment.cleared environment.rejected workspace.requested workspace.provisioned "
    "workspace.opened workspace.frozen workspace.closed workspace.destroyed "
    "workspace.person-needed terms.accepted optout-filter.applied output.released output.returned "
    "output.rejected drift.found drift.repaired rehosting.planned rehosting.cut-over "
    "rehosting.rolled-back rehosting.completed",
    topics.CHECKPOINTS: "producer.reported epoch.opened epoch.dropped checkpoint.published log-key.rotated "
    "certificate-key.rotated key.destroyed gap.found gap.closed",
    topics.ACCESS: "trail.read trail.checked",
    topics.DEAD_LETTERS: "dead-letter.recorded dead-letter.redriven dead-letter.discarded",
    topics.CLOCK: "clock.set",
}


@pytest.mark.parametrize("topic", topics.TOPICS)
def test_the_words_of_the_vocabulary_are_all_there_and_no_other(topic: str) -> None:
    said = {registry.short(name) for name, fact in registry.FACTS.items() if fact.topic == topic}
    assert said == {f"{word}.v1" for word in VOCABULARY[topic].split()}


def test_ids_are_known_before_anything_runs() -> None:
    request = identity.request_id("portal-hdh", "RARE-1")
    assert request == identity.request_id("portal-hdh", "RARE-1")
    assert len({request, identity.permit_id(request), identity.workspace_id(request)}) == 3
    assert identity.permit_id(request.upper()) == identity.permit_id(request)


@given(st.text(), st.text(), st.text(), st.text())
def test_two_requests_never_share_an_id(portal: str, reference: str, other: str, other_reference: str) -> None:
    same = (portal, reference) == (other, other_reference)
    assert (identity.request_id(portal, reference) == identity.request_id(other, other_reference)) == same


def test_the_id_of_a_request_never_changes() -> None:
    assert identity.request_id("portal-hdh", "RARE-1") == "827c4e18-f3b3-5593-bc0f-827c64b4523e"
