"""Golden samples: complete, readable, faithful to both views of their schema, and never edited."""

import json
import shutil
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from contracts import golden, publication
from contracts.envelope import decode, encode
from contracts.facts import Fact
from contracts.registry import FACTS, read, short
from contracts.structured import decode_structured

EVERY = [(name, path.stem) for name in FACTS for path in golden.paths(name, "")]


def test_every_type_has_both_samples_and_no_sample_is_left_over() -> None:
    assert golden.missing() == []
    assert golden.surplus() == []


@pytest.mark.parametrize(("name", "kind"), EVERY)
def test_a_sample_is_read_and_written_back_as_it_came(name: str, kind: str) -> None:
    envelope, data = decode_structured(golden.paths(name, kind)[0].read_bytes())
    fact = read(envelope, data, FACTS[name].topic)
    assert type(fact) is FACTS[name]
    assert json.loads(fact.wire()) == json.loads(data)
    assert type(fact).read(fact.wire()) == fact
    assert decode(encode(envelope), data) == (envelope, data)


@pytest.mark.parametrize(("name", "kind"), EVERY)
def test_a_sample_follows_what_readers_take_and_what_writers_owe(name: str, kind: str) -> None:
    document = publication.schema(FACTS[name])
    _, data = decode_structured(golden.paths(name, kind)[0].read_bytes())
    for view in ("reader", "writer"):
        schema = {**document, "$ref": f"#/$defs/{view}"}
        Draft202012Validator(schema, format_checker=FormatChecker(["date"])).validate(json.loads(data))


def members(fact: type[Fact]) -> dict[str, bool]:
    return {field.alias or name: field.is_required() for name, field in fact.model_fields.items()}


@pytest.mark.parametrize("name", FACTS)
def test_the_full_sample_has_every_member_and_the_required_one_no_optional_member(name: str) -> None:
    full, required = (json.loads(decode_structured(golden.sample(name, kind))[1]) for kind in golden.KINDS)
    known = members(FACTS[name])
    assert set(full) == set(known)
    writer = publication.schema(FACTS[name])["$defs"]["writer"]  # type: ignore[index,call-overload]  # our own document
    owed = set(writer.get("required", []))
    with_default = {member for member, needed in known.items() if not needed} - {
        member for member, field in FACTS[name].model_fields.items() if field.default is None
    }
    assert owed <= set(required) <= owed | with_default


def test_no_two_samples_have_one_id() -> None:
    ids = {decode_structured(golden.paths(name, kind)[0].read_bytes())[0].id for name, kind in EVERY}
    assert len(ids) == len(EVERY)


def test_a_new_sample_stands_beside_the_old_one_and_is_the_one_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(golden.FOLDER, tmp_path, dirs_exist_ok=True)
    monkeypatch.setattr(golden, "FOLDER", tmp_path)
    for number in (2, 10):
        (tmp_path / "clock.set.v1" / f"full-{number}.json").write_bytes(b"%d" % number)
    assert golden.sample("clock.set.v1") == b"10"
    assert [path.stem for path in golden.paths("clock.set.v1", "")] == ["full", "full-2", "full-10", "required"]


def test_what_no_sample_shows_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(golden.FOLDER, tmp_path, dirs_exist_ok=True)
    monkeypatch.setattr(golden, "FOLDER", tmp_path)
    full = tmp_path / "decision.issued.v1" / "full.json"
    full.write_bytes(full.read_bytes().replace(b'"months"', b'"mouths"'))
    (tmp_path / "clock.set.v1" / "required.json").unlink()
    (tmp_path / "clock.stopped.v1").mkdir()
    assert golden.missing() == ["decision.issued.v1/full lacks months", "clock.set.v1/required is missing"]
    assert golden.surplus() == ["clock.stopped.v1 is no type"]


def test_a_sample_is_found_with_and_without_the_prefix() -> None:
    for name in FACTS:
        assert golden.sample(short(name)) == golden.sample(name)
    with pytest.raises(KeyError):
        golden.sample("request.dreamt.v1")
