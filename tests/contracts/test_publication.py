"""What is generated is checked in, the same every time, and says what the models say."""

import json
import shutil
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from contracts import publication
from contracts.registry import FACTS, short
from contracts.topics import TOPICS
from contracts.yamltext import to_yaml


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("schemas", "released", "samples"):
        shutil.copytree(publication.ROOT / name, tmp_path / name)
    for name in ("asyncapi.yaml", "frozen.sha256"):
        shutil.copy(publication.ROOT / name, tmp_path / name)
    monkeypatch.setattr(publication, "ROOT", tmp_path)
    return tmp_path


def test_the_generated_files_are_up_to_date_and_the_frozen_ones_untouched() -> None:
    assert publication.stale() == []
    assert publication.broken_seals() == []


def test_generating_twice_gives_the_same_bytes() -> None:
    assert publication.render() == publication.render()


def test_every_schema_is_a_schema_and_every_type_has_one() -> None:
    files = publication.render()
    for name in FACTS:
        Draft202012Validator.check_schema(json.loads(files[f"schemas/{short(name)}.json"]))


def test_a_stale_a_missing_and_a_left_over_file_are_named_and_mended(copy: Path) -> None:
    (copy / "schemas" / "clock.set.v1.json").write_text("{}")
    (copy / "asyncapi.yaml").unlink()
    (copy / "schemas" / "clock.stopped.v1.json").write_text("{}")
    expected = ["schemas/clock.set.v1.json", "asyncapi.yaml", "schemas/clock.stopped.v1.json"]
    assert publication.stale() == expected
    assert publication.write() == expected
    assert publication.stale() == []


def test_an_edited_a_removed_and_an_unsealed_frozen_file_are_named(copy: Path) -> None:
    (copy / "samples" / "clock.set.v1" / "full.json").write_text("{}")
    (copy / "released" / "clock.set.v1" / "1.json").unlink()
    (copy / "samples" / "clock.set.v1" / "another.json").write_text("{}")
    assert publication.broken_seals() == [
        "released/clock.set.v1/1.json",
        "samples/clock.set.v1/full.json",
        "samples/clock.set.v1/another.json",
    ]


def test_releasing_adds_what_differs_and_never_touches_what_is_frozen(copy: Path) -> None:
    assert publication.release() == []
    shutil.rmtree(copy / "released" / "clock.set.v1")
    seals = (copy / "frozen.sha256").read_text()
    assert publication.release() == ["released/clock.set.v1/1.json"]
    assert (copy / "frozen.sha256").read_text() == seals
    assert publication.broken_seals() == []


def test_the_asyncapi_document_is_yaml_and_every_reference_in_it_leads_somewhere() -> None:
    document = yaml.safe_load(publication.render()["asyncapi.yaml"])
    assert document["asyncapi"] == "3.0.0"
    assert list(document["channels"]) == list(TOPICS)

    def follow(node: object) -> None:
        if isinstance(node, dict):
            reference = node.get("$ref")
            if isinstance(reference, str) and reference.startswith("#/"):
                target = document
                for step in reference[2:].split("/"):
                    target = target[step]
            elif isinstance(reference, str):
                assert (publication.ROOT / reference).is_file()
            for child in node.values():
                follow(child)
        elif isinstance(node, list):
            for child in node:
                follow(child)

    follow(document)
    said = [message for channel in document["channels"].values() for message in channel["messages"]]
    assert sorted(said) == sorted(short(name) for name in FACTS)


def test_each_service_says_and_listens_as_the_table_of_topics_has_it() -> None:
    operations = yaml.safe_load(publication.render()["asyncapi.yaml"])["operations"]
    for topic in TOPICS.values():
        for writer in topic.writers:
            assert operations[f"{writer}.says.{topic.name}"]["action"] == "send"
        for reader in topic.readers:
            assert operations[f"{reader}.listens.{topic.name}"]["action"] == "receive"
    assert {name.split(".")[0] for name in operations} >= {"intake", "compliance", "provisioning", "audit"}


documents = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp"))),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "on", "no", "$ref", "1", "x y", "é", "-", ""]), inner, max_size=4)
    ),
)


@given(documents)
def test_our_yaml_is_read_by_others_as_what_we_wrote(document: object) -> None:
    assert yaml.safe_load(to_yaml(document)) == document  # type: ignore[arg-type]  # JSON by construction
