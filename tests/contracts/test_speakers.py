"""An act that names a body or a holder is that body's or holder's own; the secretariat passes on its committee's."""

import json

import pytest

from contracts import golden, registry
from contracts.speakers import NAMED_BY, PASSED_ON, contradicted
from contracts.structured import decode_structured


@pytest.mark.parametrize(
    ("short", "named", "source", "whose"),
    [
        ("opinion.issued.v1", "CESREES", "/authorities/CESREES", None),
        ("opinion.issued.v1", "CESREES", "/authorities/cesrees/session-7", None),
        ("opinion.issued.v1", "CESREES", "/authorities/HDH", None),
        ("opinion.issued.v1", "CESREES", "/authorities/CNIL", "CESREES"),
        ("opinion.issued.v1", "CPP", "/authorities/HDH", "CPP"),
        ("file.received.v1", "CNIL", "/authorities/HDH", None),
        ("decision.issued.v1", "CNIL", "/authorities/HDH", "CNIL"),
        ("decision.issued.v1", "HDH", "/authorities/HDH", None),
        ("decision.issued.v1", "HDAB-FR", "/authorities/HDAB-DE", "HDAB-FR"),
        ("decision.issued.v1", "HDAB-FR", "/authorities/HDAB-FR2", "HDAB-FR"),
        ("decision.issued.v1", "HDAB-FR", "/authorities/", "HDAB-FR"),
        ("holder-assessment.submitted.v1", "chu-nord", "/holders/chu-sud", "chu-nord"),
        ("revocation.ordered.v1", "CNIL", "/authorities/HDH", None),
    ],
)
def test_who_may_speak_in_whose_name(short: str, named: str, source: str, whose: str | None) -> None:
    data = {NAMED_BY.get(short, "body"): named}
    assert contradicted(short, data, source) == whose


def test_an_act_that_names_nobody_is_not_contradicted() -> None:
    assert contradicted("decision.issued.v1", {}, "/authorities/HDH") is None


@pytest.mark.parametrize("short", NAMED_BY)
def test_the_samples_speak_for_themselves(short: str) -> None:
    for kind in golden.KINDS:
        envelope, data = decode_structured(golden.sample(short, kind))
        assert contradicted(short, json.loads(data), envelope.source) is None


def test_every_act_that_names_its_author_is_in_the_list() -> None:
    for name, fact in registry.FACTS.items():
        if fact.topic == "guichet.authorities":
            assert ("body" in fact.model_fields) == (registry.short(name) in NAMED_BY)
    assert set(PASSED_ON) <= set(NAMED_BY)
