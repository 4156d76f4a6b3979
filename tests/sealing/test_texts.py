"""A free text is readable with its key, in its place, and nowhere else."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.registry import FACTS
from guichet.publishing import read
from guichet.sealing.keystore import KeyStore
from guichet.sealing.texts import LONGEST_TEXT, NotSealable, free_texts, opened, sealed, sealed_fields

NOW = datetime(2027, 3, 1, tzinfo=UTC)
REQUEST = "cf8e0752-8f1e-5123-bd3c-1b40b5dec40c"
TEXT = "Mme Durand a téléphoné le 3 mars"


def refusal(comment: object = TEXT) -> dict[str, Any]:
    data = {"by": ["o-1"], "comment": comment}
    return {"type": "refusal.confirmed.v1", "source": "/authorities/HDH", "subject": REQUEST, "data": data}


def test_every_type_with_a_free_text_is_sealed() -> None:
    kinds = {name for name, kind in FACTS.items() if sealed_fields(kind)}
    assert "guichet.decision.issued.v1" in kinds
    assert all(sealed_fields(FACTS[name]) == ("comment",) for name in kinds)


def test_what_leaves_fits_its_contract_and_says_nothing(tmp_path: Path) -> None:
    made = read(sealed(refusal(), NOW, KeyStore(tmp_path)), NOW)
    assert b"Durand" not in made.data
    shown = opened(KeyStore(tmp_path), made.envelope.type, made.envelope.id, json.loads(made.data))
    assert shown["comment"] == TEXT
    assert free_texts(made.envelope.type, shown) == [("comment", "text", TEXT)]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(st.text(st.characters(exclude_characters="\x00", codec="utf-8"), max_size=300))
def test_any_text_comes_back_as_it_was(tmp_path: Path, text: str) -> None:
    store = KeyStore(tmp_path)
    event = sealed(refusal(text), NOW, store)
    assert opened(store, "guichet.refusal.confirmed.v1", str(event["id"]), event["data"])["comment"] == text


def test_a_text_moved_to_another_event_stays_sealed(tmp_path: Path) -> None:
    store = KeyStore(tmp_path)
    event = sealed(refusal(), NOW, store)
    shown = opened(store, "guichet.refusal.confirmed.v1", "01930000-0000-7000-8000-000000000009", event["data"])
    assert shown == event["data"]
    assert free_texts("guichet.refusal.confirmed.v1", shown) == [("comment", "sealed", "")]


def test_with_its_key_the_text_is_gone_and_the_reader_is_told(tmp_path: Path) -> None:
    store = KeyStore(tmp_path)
    event = sealed(refusal(), NOW, store)
    key_id = event["data"]["comment"]["key_id"]
    store.destroy(key_id, ("dpo-1", "archivist-2"), "01930000-0000-7000-8000-000000000001", NOW)
    shown = opened(store, "guichet.refusal.confirmed.v1", str(event["id"]), event["data"])
    assert shown["comment"] == {"$erased": key_id}
    assert free_texts("guichet.refusal.confirmed.v1", shown) == [("comment", "erased", "")]


def test_another_store_cannot_read_it(tmp_path: Path) -> None:
    event = sealed(refusal(), NOW, KeyStore(tmp_path / "ours"))
    other = KeyStore(tmp_path / "theirs")
    assert opened(other, "guichet.refusal.confirmed.v1", str(event["id"]), event["data"]) == event["data"]


@pytest.mark.parametrize(
    ("text", "rule"),
    [("é" * LONGEST_TEXT, "bytes"), ("half a pair \ud83d", "whole characters"), ("nothing\x00", "without U")],
)
def test_a_text_that_cannot_be_sealed_is_refused_by_name(tmp_path: Path, text: str, rule: str) -> None:
    with pytest.raises(NotSealable, match=f"comment: .*{rule}"):
        sealed(refusal(text), NOW, KeyStore(tmp_path))
    assert KeyStore(tmp_path).listed() == []


@pytest.mark.threat(21)
def test_nothing_is_guessed_of_a_text_that_is_one_of_a_few(tmp_path: Path) -> None:
    answers, store = ["", "no", "yes", "the applicant was convicted of fraud", "é" * 120], KeyStore(tmp_path)
    said = [json.dumps(read(sealed(refusal(each), NOW, store), NOW).data.decode()) for each in answers]
    fields = [json.loads(json.loads(each))["comment"] for each in said]
    assert len({len(field["ciphertext"]) for field in fields}) == 1, "how long it is says nothing"
    assert len({field["ciphertext"] for field in fields}) == len({field["nonce"] for field in fields}) == len(answers)
    twice = sealed(refusal("no"), NOW, store)["data"]["comment"]
    assert twice["ciphertext"] != fields[1]["ciphertext"], "nor do two that are equal show it"
    for event, answer in itertools.product(said, answers):
        for digest in (hashlib.sha256, hashlib.sha1, hashlib.md5):
            guessed = digest(answer.encode())
            assert guessed.hexdigest() not in event and base64.b64encode(guessed.digest()).decode() not in event


def test_a_text_that_was_sealed_without_more_after_it_is_read(tmp_path: Path) -> None:
    store, event_id = KeyStore(tmp_path), "01930000-0000-7000-8000-000000000009"
    key_id, key = store.key_for(REQUEST, NOW)
    nonce, aad = bytes(12), event_id.encode() + b"comment"
    text = AESGCM(key).encrypt(nonce, TEXT.encode(), aad)
    field = {"alg": "A256GCM", "key_id": key_id} | {
        name: base64.b64encode(each).decode() for name, each in (("nonce", nonce), ("ciphertext", text))
    }
    shown = opened(store, "guichet.refusal.confirmed.v1", event_id, {"comment": field})
    assert shown == {"comment": TEXT}


def test_an_event_without_free_text_makes_no_key(tmp_path: Path) -> None:
    event = {"type": "opinion.issued.v1", "subject": REQUEST, "data": {"body": "CESREES"}}
    assert sealed(event, NOW, KeyStore(tmp_path)) == event
    assert KeyStore(tmp_path).listed() == []
