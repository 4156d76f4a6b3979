"""Who opened what stands in a trail of its own: an id, a reader and an act, never what was read or typed."""

import hashlib
import io
import json
import zipfile

import pytest
from tests.audit.conftest import NAME
from tests.audit.test_proof_routes import ask  # noqa: F401  # a fixture

from audit.exporting import Wanted
from audit.growth import origin_of
from contracts.topics import ACCESS, TOPICS, stream_of
from guichet_verify.manifest import ALL, LOG
from guichet_verify.verification import Asked, verify_bundle
from signed_trails import POLICY, REQUEST, export, say, sign

EVENT_ID = "0199f0c0-0000-7000-8000-000000000001"
READERS = f"auditor-1={hashlib.sha256(b'first').hexdigest()},{hashlib.sha256(b'second').hexdigest()}"


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


async def said(trail):
    """What is on its way to the topic of accesses."""
    rows = await trail.fetch("SELECT subject, body FROM chassis.facts WHERE topic = $1 ORDER BY event_id", ACCESS)
    return [(row["subject"], json.loads(row["body"])) for row in rows]


@pytest.fixture
async def recorded(trail):
    await say(trail, REQUEST, 1, value=b'{"comment":"about Mrs Martin"}', source="intake")
    await trail.record()
    await sign(trail)
    return trail


async def test_each_opening_is_on_record_under_the_name_of_its_reader(recorded, ask):  # noqa: F811
    client = await ask(audit_readers=READERS)
    event, origin = f"intake-{REQUEST}-1", f"{NAME}/trail/{recorded.topic}/0/1"
    assert (await client.get(f"/stories/{REQUEST}")).status_code == 401
    assert (await client.get(f"/stories/{REQUEST}", headers=bearer("first"))).status_code == 200
    assert (await client.get(f"/events/{event}", headers=bearer("second"))).status_code == 200
    assert (await client.get(f"/{origin}/tile/entries/000.p/2", headers=bearer("first"))).status_code == 200
    assert (await client.get("/proof/inclusion", params={"event_id": event})).status_code == 200
    taken = await client.post("/bundle", json={"scope": {"kind": "all"}}, headers=bearer("first"))
    other = f"reader-{hashlib.sha256(b'second').hexdigest()[:12]}"
    found = [(subject, fact["act"], fact["by"], fact["about"]) for subject, fact in await said(recorded)]
    assert found == [
        (f"access/{REQUEST}", "story_opened", "auditor-1", REQUEST),
        (f"access/{other}", "event_opened", other, None),
        (f"access/{origin}", "entries_read", "auditor-1", origin),
        ("access/anyone", "event_proved", "anyone", None),
        ("access/auditor-1", "bundle_exported", "auditor-1", None),
    ]
    with zipfile.ZipFile(io.BytesIO(taken.content)) as bundle:
        manifest = bundle.read("bundle.json")
    assert [fact.get("bundle_sha256") for _, fact in await said(recorded)][-1] == hashlib.sha256(manifest).hexdigest()


async def test_nothing_that_was_read_or_typed_is_on_record_and_what_is_not_there_was_not_opened(recorded, ask):  # noqa: F811
    client = await ask()
    for path in ("/stories/Mrs Martin, born 1961", "/events/1 61 05 75 056 001 22", f"/stories/{EVENT_ID}"):
        assert (await client.get(path)).status_code == 404
    assert await said(recorded) == []
    await client.get(f"/stories/{REQUEST}")
    rows = await recorded.fetch("SELECT body FROM chassis.facts WHERE topic = $1", ACCESS)
    assert rows
    assert not any(b"Martin" in bytes(row["body"]) for row in rows)


async def test_who_follows_a_story_or_looks_at_hashes_does_not_make_the_record_grow(recorded, ask):  # noqa: F811
    client = await ask()
    for _ in range(5):
        await client.get(f"/stories/{REQUEST}")
    assert len(await said(recorded)) == 1, "opened once within ten minutes"
    origin = f"{NAME}/trail/{recorded.topic}/0/1"
    for path in ("/logs", f"/{origin}/checkpoint", f"/{origin}/tile/0/000.p/2"):
        assert (await client.get(path)).status_code == 200
    assert len(await said(recorded)) == 1, "hashes and checkpoints are for anyone, and speak of nobody"


def test_the_record_of_accesses_has_logs_of_its_own_stream_and_no_other_topic_has():
    assert origin_of(NAME, ACCESS, 0, 1) == f"{NAME}/access/guichet.access/0/1"
    assert [topic for topic in TOPICS if stream_of(topic) != "trail"] == [ACCESS]


async def test_a_log_of_accesses_is_recorded_verified_and_taken_away_like_any_other_and_reading_it_is_one_access(
    trail,
    ask,  # noqa: F811
    tmp_path,
):
    await trail.make_topics(ACCESS)
    trail.topics = (*trail.topics, ACCESS)
    await say(trail, REQUEST, 1)
    await trail.record()
    await sign(trail)
    client = await ask()
    await client.get(f"/stories/{REQUEST}")
    (row,) = await trail.fetch("SELECT * FROM chassis.facts WHERE topic = $1", ACCESS)
    headers = {"id": row["event_id"], "type": row["type"], "source": row["source"], "subject": row["subject"]}
    encoded = [(f"ce_{name}", str(value).encode()) for name, value in (headers | {"sequence": 1}).items()]
    await trail.producer.send_and_wait(ACCESS, row["body"], headers=encoded, partition=0)
    await trail.record()
    origin = f"{NAME}/access/{ACCESS}/0/1"
    signed = await sign(trail)
    assert signed[origin].size >= 2
    assert (await trail.verify()).failures == []
    for name, wanted in (("all", Wanted(ALL)), ("log", Wanted(LOG, origin))):
        await export(trail, tmp_path / name, wanted)
        assert verify_bundle(tmp_path / name, Asked(POLICY, held=[signed[origin]])).failures == []
    story = (await client.get(f"/stories/{REQUEST}")).json()
    assert [each["type"] for each in story["events"]] == ["guichet.request.accepted.v1"], "no part of the story"
    before = len(await said(trail))
    await client.get(f"/events/{row['event_id']}")
    assert len(await said(trail)) == before + 1
