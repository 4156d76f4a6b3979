"""An auditor over HTTP: checkpoints, tiles and proofs for anyone, recorded bytes for named readers."""

import asyncio
import base64
import hashlib

import httpx
import pytest

from audit.app import build
from audit.routes import routes
from audit.settings import AuditSettings
from chassis.runtime import Runtime
from chassis.server import build_app
from guichet_verify.checkpoints import open_checkpoint
from guichet_verify.contents import split_entries
from guichet_verify.encoding import read_hashes
from guichet_verify.proofs import read_proof
from guichet_verify.tree import leaf_hash, verify_consistency, verify_inclusion
from guichet_verify.verification import Asked, verify_bundle
from signed_trails import KEY, POLICY, REQUEST, say, sign
from threats import write_table

TOKEN = "a reader's token"
DIGEST = hashlib.sha256(TOKEN.encode()).hexdigest()


@pytest.fixture
async def ask(trail):
    """The service's routes over its own database, as settings make them."""
    opened = []

    async def at(**given: object) -> httpx.AsyncClient:
        settings = AuditSettings(kafka=trail.kafka, database_url=trail.url, **given)
        runtime = Runtime(build(settings), settings)
        await runtime.database.open()
        app = build_app(routes(runtime, settings), lambda: True)
        client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://audit")
        opened.append((runtime, client))
        return client

    yield at
    for runtime, client in opened:
        await client.aclose()
        await runtime.database.close()


@pytest.fixture
async def signed(trail):
    await asyncio.gather(*(say(trail, REQUEST, number) for number in range(1, 301)))
    await trail.record()
    first = await sign(trail)
    await say(trail, REQUEST, 301)
    await trail.record()
    origin = next(origin for origin, checkpoint in first.items() if checkpoint.size > 1)
    return first[origin], (await sign(trail))[origin]


async def test_the_newest_checkpoint_is_served_as_it_was_signed(signed, ask) -> None:
    client = await ask()
    answer = await client.get(f"/{signed[1].origin}/checkpoint")
    assert open_checkpoint(answer.content, [KEY.log_key]).checkpoint == signed[1]
    assert (await client.get("/elsewhere/checkpoint")).status_code == 404
    listed = {log["origin"]: log["signed_size"] for log in (await client.get("/logs")).json()["logs"]}
    assert listed[signed[1].origin] == 302


async def test_inclusion_and_consistency_are_proved_over_http(signed, ask) -> None:
    client, (old, new) = await ask(), signed
    answer = await client.get("/proof/inclusion", params={"event_id": f"guichet/intake-{REQUEST}-255"})
    proof = read_proof(answer.content)
    checkpoint = open_checkpoint(proof.checkpoint, [KEY.log_key]).checkpoint
    entries = await client.get(f"/{new.origin}/tile/entries/000")
    leaves = split_entries(entries.content, 256) or []
    assert verify_inclusion(proof.index, checkpoint.size, leaf_hash(leaves[proof.index]), proof.hashes, checkpoint.root)
    answer = await client.get("/proof/consistency", params={"origin": new.origin, "from": old.size, "to": new.size})
    assert verify_consistency(old.size, new.size, old.root, new.root, read_hashes(answer.content))


REFUSED = (
    ("/proof/inclusion", 400, "event-id"),
    ("/proof/inclusion?event_id=nothing", 404, "unknown-event"),
    ("/proof/consistency?origin=ORIGIN&from=1", 400, "sizes"),
    ("/proof/consistency?origin=ORIGIN&from=01&to=302", 400, "sizes"),
    ("/proof/consistency?origin=ORIGIN&from=0&to=302", 400, "sizes"),
    ("/proof/consistency?origin=ORIGIN&from=1&to=300", 404, "unsigned-size"),
    ("/proof/consistency?origin=elsewhere&from=1&to=302", 404, "unsigned-size"),
    ("/ORIGIN/tile/entries/0", 400, "tile-address"),
    ("/ORIGIN/tile/entries/001.p/47", 404, "unknown-tile"),
    ("/ORIGIN/tile/entries/001", 404, "unknown-tile"),
    ("/ORIGIN%00/checkpoint", 404, "unknown-log"),
    ("/ORIGIN%00/tile/entries/000.p/1", 404, "unknown-tile"),
    ("/ORIGIN%00/tile/0/000.p/1", 404, "unknown-tile"),
    ("/proof/consistency?origin=ORIGIN%00&from=1&to=2", 404, "unsigned-size"),
    ("/proof/inclusion?event_id=%00", 400, "event-id"),
)


async def test_what_cannot_be_proved_is_refused_by_name(signed, ask) -> None:
    client = await ask()
    for path, status, code in REFUSED:
        answer = await client.get(path.replace("ORIGIN", signed[1].origin))
        assert (answer.status_code, answer.json()["type"]) == (status, f"urn:guichet:problem:{code}"), path


async def test_an_event_that_is_not_signed_yet_is_not_proved(signed, trail, ask) -> None:
    await say(trail, REQUEST, 302)
    await trail.record()
    answer = await (await ask()).get("/proof/inclusion", params={"event_id": f"guichet/intake-{REQUEST}-302"})
    assert (answer.status_code, answer.json()["type"]) == (404, "urn:guichet:problem:unsigned-event")


async def test_a_bundle_is_streamed_and_holds(signed, ask, tmp_path) -> None:
    client, (old, new) = await ask(), signed
    body = {
        "scope": {"kind": "subject", "value": REQUEST},
        "as_of": "2100-01-01T00:00:00Z",
        "since": [{"origin": old.origin, "size": old.size}],
    }
    answer = await client.post("/bundle", json=body)
    assert answer.status_code == 200, answer.text
    await asyncio.to_thread((tmp_path / "b").write_bytes, answer.content)
    report = verify_bundle(tmp_path / "b", Asked(POLICY, [old, new]))
    assert (report.failures, report.leaves) == ([], 301)
    everything = await client.post("/bundle")
    await asyncio.to_thread((tmp_path / "b").write_bytes, everything.content)
    assert verify_bundle(tmp_path / "b", Asked(POLICY, [new])).leaves == 303


UNFIT = (
    ({"scope": {"kind": "subject"}}, 422, 1),
    ({"scope": {"kind": "all", "value": "x"}}, 422, 1),
    ({"scope": {"kind": "request", "value": 7}, "as_of": "yesterday", "more": 1}, 422, 4),
    ({"range": [0, 9]}, 422, 1),
    ({"scope": {"kind": "subject", "value": "nobody"}}, 404, 0),
    ({"as_of": "1999-01-01T00:00:00Z"}, 404, 0),
    ({"scope": {"kind": "subject", "value": "a\x00b"}, "since": [{"origin": "\x00", "size": 1}]}, 422, 2),
    ({"since": [{"origin": "guichet.example/audit/trail/gone/0/1", "size": 5}]}, 404, 0),
)


async def test_a_bundle_that_cannot_be_made_is_refused_with_every_problem(signed, ask) -> None:
    client = await ask()
    for body, status, problems in UNFIT:
        answer = await client.post("/bundle", json=body)
        assert (answer.status_code, len(answer.json().get("problems", []))) == (status, problems), answer.text


async def test_recorded_bytes_are_for_named_readers(signed, ask) -> None:
    client, entries = await ask(audit_readers=DIGEST), f"/{signed[1].origin}/tile/entries/000"
    restricted = (entries, f"/stories/{REQUEST}", "/events/nobody")
    for authorization in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {TOKEN}"}):
        for path in restricted:
            assert (await client.get(path, headers=authorization)).status_code == 401
        assert (await client.post("/bundle", headers=authorization)).status_code == 401
    reader = {"Authorization": f"Bearer {TOKEN}"}
    assert (await client.get(entries, headers=reader)).status_code == 200
    assert (await client.get(f"/stories/{REQUEST}", headers=reader)).status_code == 200
    assert (await client.get("/events/nobody", headers=reader)).status_code == 404
    assert (await client.get(f"/{signed[1].origin}/tile/0/000")).status_code == 200
    assert (await (await ask(production=True)).get(entries, headers=reader)).status_code == 401


async def test_a_stolen_token_changes_nothing_and_reads_nothing_once_it_is_taken_out(signed, ask, trail) -> None:
    thief = {"Authorization": f"Bearer {TOKEN}"}
    client, entries = await ask(audit_readers=DIGEST), f"/{signed[1].origin}/tile/entries/000"
    tables = ("log", "head", "source", "batch", "entry", "blob", "tile", "checkpoint")
    digest = "(SELECT md5(string_agg(t::text, ',' ORDER BY t::text)) FROM audit.{} AS t)"
    everything = "SELECT " + ", ".join(f"{digest.format(each)} AS {each}" for each in tables)
    before = await trail.fetch(everything)
    paths = (
        entries,
        f"/{signed[1].origin}/checkpoint",
        f"/stories/{REQUEST}",
        "/events/x",
        "/logs",
        "/proof/inclusion",
    )
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        for path in paths:
            answer = await client.request(method, path, headers=thief, content=b"{}")
            assert (method, path, answer.status_code) == (method, path, 405)
    assert await trail.fetch(everything) == before
    later = await ask(audit_readers=hashlib.sha256(b"another token").hexdigest())
    assert (await later.get(entries, headers=thief)).status_code == 401
    rows = [
        ("write over HTTP with a stolen token", "thief of a reader's token", "refused", "no route writes: 405"),
        ("read with it after its digest is taken out", "thief of a reader's token", "refused", "401"),
    ]
    write_table(rows, afresh="thief of a reader's token")


def test_a_reader_is_named_by_a_digest() -> None:
    with pytest.raises(ValueError, match="SHA-256"):
        AuditSettings(kafka="k:1", database_url="postgresql://x", audit_readers=base64.b64encode(b"x").decode())
