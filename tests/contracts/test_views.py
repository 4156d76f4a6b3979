"""The published views and the models mean the same: what a writer may send is read, and comes back as sent."""

import json
import re
from datetime import UTC, date, datetime

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from contracts import publication
from contracts.envelope import Unreadable
from contracts.registry import FACTS, read_data
from guichet.contracts_gate import Schema, release

RELEASES = {name: release("the present", publication.schema(fact)) for name, fact in FACTS.items()}


TEXTS = [
    *("a", "word", "p-1:x_2.y", "A", "FR", "FR_MR004", "HDH", "HDAB-DE", "REASON_CODE", "LIL:66-I", "CSP:R1461-9-II-2"),
    *("fr-2026.1", "kebab-case", "table_1", "permit.persons-updated.v1", "", "QUJD" * 9, "f" * 64, "QUJD" * 4),
    *("6ec0bd7f-11c0-43da-975e-2a8ad9ebae0b", "A" * 43 + "=", "guichet.example/audit/trail/guichet.requests/3/1"),
    f"— guichet.example/certificates {'QUJD' * 22}QUI=",
]


def instances(schema: Schema) -> st.SearchStrategy[object]:
    """Documents a resolved schema allows, for the keywords our schemas use."""
    match schema:
        case {"anyOf": list() as choices}:
            return st.one_of([instances(choice) for choice in choices])
        case {"const": value}:
            return st.just(value)
        case {"enum": list() as values}:
            return st.sampled_from(values)
        case {"type": "boolean"}:
            return st.booleans()
        case {"type": "null"}:
            return st.none()
        case {"type": "integer"}:
            return st.integers(schema.get("minimum"), schema.get("maximum"))  # type: ignore[arg-type]  # whole bounds
        case {"type": "string", "format": "date"}:
            return st.dates(date(1900, 1, 1), date(2199, 12, 31)).map(date.isoformat)
        case {"type": "string", "format": "date-time"}:
            instants = st.datetimes(datetime(2000, 1, 1), datetime(2199, 12, 31), timezones=st.just(UTC))
            return instants.map(lambda instant: instant.isoformat().replace("+00:00", "Z"))
        case {"type": "string", "pattern": str() as pattern}:
            found = [
                text for text in TEXTS if re.search(pattern, text) and len(text) >= int(str(schema.get("minLength", 0)))
            ]
            assert found, f"no text of the form {pattern}"
            return st.sampled_from(found)
        case {"type": "string"}:
            longest = min(int(str(schema.get("maxLength", 40))), 40)
            return st.text(min_size=int(str(schema.get("minLength", 0))), max_size=longest)
        case {"type": "array"}:
            return _lists(schema)
        case {"type": "object", "properties": dict() as members}:
            required = schema.get("required", [])
            parts = {name: instances(member) for name, member in members.items()}
            owed = {name: part for name, part in parts.items() if name in required}  # type: ignore[operator]  # a list
            return st.fixed_dictionaries(
                owed, optional={name: part for name, part in parts.items() if name not in owed}
            )
        case _:
            return st.just({})


def _lists(schema: Schema) -> st.SearchStrategy[object]:
    least = int(str(schema.get("minItems", 0)))
    most = min(int(str(schema.get("maxItems", least + 2))), least + 2)
    item = schema["items"]
    assert isinstance(item, dict)
    if schema.get("uniqueItems"):
        return st.lists(
            instances(item), min_size=least, max_size=most, unique_by=lambda one: json.dumps(one, sort_keys=True)
        )
    return st.lists(instances(item), min_size=least, max_size=most)


@pytest.mark.parametrize("name", FACTS)
@settings(max_examples=5, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(st.data())
def test_what_a_writer_may_send_is_read_and_comes_back_as_it_was_sent(name: str, data: st.DataObject) -> None:
    sent = data.draw(instances(RELEASES[name].writer))
    fact = read_data(FACTS[name], json.dumps(sent).encode())
    assert isinstance(sent, dict)
    back = json.loads(fact.wire())
    assert {member: back[member] for member in sent} == sent
    assert type(fact).read(fact.wire()) == fact
    assert Draft202012Validator(RELEASES[name].writer).is_valid(back)


@pytest.mark.parametrize("name", FACTS)
@settings(max_examples=5, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(st.data())
def test_what_the_reader_takes_is_what_its_schema_takes(name: str, data: st.DataObject) -> None:
    sent = data.draw(instances(RELEASES[name].writer))
    assert isinstance(sent, dict)
    if sent:
        member = data.draw(st.sampled_from(sorted(sent)))
        sent[member] = data.draw(st.sampled_from([None, True, -1, 2.5, "", " x", [], [None], {}, {"x": 1}]))
    try:
        read_data(FACTS[name], json.dumps(sent).encode())
        taken = True
    except Unreadable:
        taken = False
    assert taken == Draft202012Validator(RELEASES[name].reader).is_valid(sent)
