"""What is exported at signed sizes is verified by whoever trusts the keys alone, and says no more than was signed."""

import asyncio
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from audit.exporting import NotExported, Wanted
from audit.proving import TilesMissing, prove_event, prove_inclusion
from audit.signed import read_signed
from guichet_verify.bundle import Bundle
from guichet_verify.checkpoints import open_checkpoint
from guichet_verify.container import Container
from guichet_verify.manifest import ALL, LOG, SUBJECT, Manifest
from guichet_verify.notes import sign_note
from guichet_verify.report import Level, Report, Status
from guichet_verify.tree import leaf_hash, verify_inclusion
from guichet_verify.verification import Asked, verify_bundle
from programs import run_guichet
from signed_trails import KEY, POLICY, REQUEST, export, say, sign


def verified(path: Path, **asked) -> Report:
    return verify_bundle(path, Asked(POLICY, **asked))


def manifest_of(path: Path) -> Manifest:
    with Container(path) as container:
        return Bundle(container).manifest


@pytest.fixture
async def recorded(trail):
    """Two logs: 300 events of a request, a large one among them, and 20 of another in the second partition."""
    await asyncio.gather(
        *(say(trail, REQUEST, number, b"x" * 70_000 if number == 7 else b"{}") for number in range(1, 301))
    )
    await asyncio.gather(*(say(trail, "other", number, partition=1) for number in range(1, 21)))
    await trail.record()
    return trail


async def test_everything_is_exported_and_verified_by_the_key_alone(recorded, tmp_path) -> None:
    signed = await sign(recorded)
    decided = await export(recorded, tmp_path / "all", Wanted(ALL))
    report = verified(tmp_path / "all", held=list(signed.values()))
    assert (report.failures, report.leaves, report.blobs) == ([], 322, 1)
    assert {level for level, status in report.status.items() if status is Status.PASS} >= {Level.L3, Level.L6}
    assert decided.manifest.scope.complete
    assert [(log.origin, log.size) for log in report.logs] == sorted(
        (each.origin, each.size) for each in signed.values()
    )


async def test_equal_content_is_equal_bytes_whenever_it_is_exported(recorded, tmp_path) -> None:
    await sign(recorded)
    for kind, value in ((ALL, None), (SUBJECT, REQUEST)):
        for name in ("one", "other"):
            await export(recorded, tmp_path / name, Wanted(kind, value))
        assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()


async def test_the_story_of_a_request_is_whole_and_proved_leaf_by_leaf(recorded, tmp_path) -> None:
    await sign(recorded)
    decided = await export(recorded, tmp_path / "story", Wanted(SUBJECT, REQUEST))
    assert decided.gaps == []
    report = verified(tmp_path / "story", required=[Level.L6, Level.L7])
    assert (report.failures, report.leaves, report.blobs) == ([], 300, 1)
    manifest = manifest_of(tmp_path / "story")
    assert manifest.scope.value == REQUEST
    assert [(each.name, each.last) for each in manifest.subjects] == [(REQUEST, {"guichet/intake": 300})]


async def test_a_story_with_a_hole_does_not_claim_to_be_whole(trail, tmp_path) -> None:
    for number in (1, 2, 4):
        await say(trail, REQUEST, number)
    await trail.record()
    await sign(trail)
    decided = await export(trail, tmp_path / "story", Wanted(SUBJECT, REQUEST))
    assert decided.gaps == [f"{REQUEST}: guichet/intake number 3 is missing"]
    assert verified(tmp_path / "story").status[Level.L6] is Status.NOT_ASKED
    assert verified(tmp_path / "story", required=[Level.L6]).exit_code == 16


async def test_a_range_is_widened_to_tiles_and_proved(recorded, tmp_path) -> None:
    (origin, checkpoint), *_ = [each for each in (await sign(recorded)).items() if each[1].size > 256]
    decided = await export(recorded, tmp_path / "range", Wanted(LOG, origin, (260, 280)))
    (part,) = decided.manifest.logs
    assert (part.start, part.end, part.size) == (256, checkpoint.size, 301)
    assert not decided.manifest.scope.complete
    assert verified(tmp_path / "range").holds
    await export(recorded, tmp_path / "range", Wanted(LOG, origin, (0, 9)))
    assert (verified(tmp_path / "range").holds, verified(tmp_path / "range").leaves) == (True, 256)


async def test_a_bundle_as_of_an_instant_has_the_sizes_published_by_then(trail, tmp_path) -> None:
    noon, evening = datetime(2026, 11, 24, 12, tzinfo=UTC), datetime(2026, 11, 24, 18, tzinfo=UTC)
    await say(trail, REQUEST, 1)
    await trail.record()
    before = await sign(trail, noon)
    await say(trail, REQUEST, 2)
    await trail.record()
    after = await sign(trail, evening)
    for instant, sizes in ((noon, before), (evening, after)):
        decided = await export(trail, tmp_path / "then", Wanted(ALL, as_of=instant))
        assert {log.origin: log.size for log in decided.logs} == {log.origin: log.size for log in sizes.values()}
        assert verified(tmp_path / "then", held=list(sizes.values())).holds
        assert manifest_of(tmp_path / "then").as_of.basis == "published"
    with pytest.raises(NotExported, match="by then"):
        await export(trail, tmp_path / "then", Wanted(ALL, as_of=datetime(2026, 11, 24, 11, tzinfo=UTC)))


async def test_a_bundle_at_given_sizes_holds_those_logs_at_those_sizes_if_they_were_signed(trail, tmp_path) -> None:
    await say(trail, REQUEST, 1)
    await trail.record()
    before = await sign(trail)
    await say(trail, REQUEST, 2)
    await trail.record()
    await sign(trail)
    origin = next(origin for origin, checkpoint in before.items() if checkpoint.size == 2)
    decided = await export(trail, tmp_path / "then", Wanted(ALL, sizes={origin: 2}))
    assert [(log.origin, log.size) for log in decided.logs] == [(origin, 2)]
    assert (verified(tmp_path / "then").holds, manifest_of(tmp_path / "then").as_of.basis) == (True, "sizes")
    with pytest.raises(NotExported, match="elsewhere at size 1"):
        await export(trail, tmp_path / "none", Wanted(ALL, sizes={origin: 2, "elsewhere": 1}))
    sizes, bundle = tmp_path / "sizes", tmp_path / "by-command"
    await asyncio.to_thread(sizes.write_text, json.dumps({"sizes": {origin: 2}}))
    asked = ("audit", "export", "--all", "--sizes", sizes, "--database", trail.url, "-o", bundle)
    status, said = await guichet(*asked, "--json")
    assert (status, json.loads(said)["logs"]) == (0, [{"origin": origin, "size": 2}])
    assert await asyncio.to_thread(bundle.read_bytes) == await asyncio.to_thread((tmp_path / "then").read_bytes)
    status, said = await guichet(*asked, "--stamped")
    assert (status, "--sizes says it all" in said) == (2, True)


async def test_what_is_held_from_before_is_proved_to_be_extended(trail, tmp_path) -> None:
    for number in range(1, 6):
        await say(trail, REQUEST, number)
    await trail.record()
    held = await sign(trail)
    await asyncio.gather(*(say(trail, REQUEST, number) for number in range(6, 400)))
    await trail.record()
    await sign(trail)
    since: Mapping[str, int] = {origin: checkpoint.size for origin, checkpoint in held.items()}
    await export(trail, tmp_path / "since", Wanted(SUBJECT, REQUEST, since=since))
    report = verified(tmp_path / "since", held=list(held.values()), required=[Level.L3])
    assert (report.failures, report.status[Level.L3]) == ([], Status.PASS)
    forked = [each._replace(root=bytes(32)) for each in held.values()]
    assert verified(tmp_path / "since", held=forked).exit_code == 13
    origin = next(iter(held))
    with pytest.raises(NotExported, match="rollback"):
        await export(trail, tmp_path / "since", Wanted(ALL, since={origin: 10_000}))


async def test_nothing_that_is_not_signed_is_exported_or_proved(recorded, tmp_path) -> None:
    with pytest.raises(NotExported):
        await export(recorded, tmp_path / "none", Wanted(ALL))
    await sign(recorded)
    await say(recorded, REQUEST, 301)
    await recorded.record()
    await export(recorded, tmp_path / "all", Wanted(ALL))
    assert verified(tmp_path / "all").leaves == 322
    async with recorded.database.connection() as connection:
        assert await prove_event(connection, f"guichet/intake-{REQUEST}-301") == []
    with pytest.raises(NotExported, match="nothing about this id"):
        await export(recorded, tmp_path / "none", Wanted(SUBJECT, "somebody"))
    with pytest.raises(NotExported, match="this log"):
        await export(recorded, tmp_path / "none", Wanted(LOG, "elsewhere"))


async def test_every_event_is_proved_against_the_signed_root(recorded) -> None:
    signed = await sign(recorded)
    async with recorded.database.connection() as connection:
        for number in (1, 7, 255, 256, 257, 300):
            (proof,) = await prove_event(connection, f"guichet/intake-{REQUEST}-{number}")
            opened = open_checkpoint(proof.checkpoint, POLICY.keys)
            assert opened.checkpoint in signed.values()
            leaf = (await recorded.leaves())[proof.index]
            assert verify_inclusion(
                proof.index, opened.checkpoint.size, leaf_hash(leaf), proof.hashes, opened.checkpoint.root
            )


async def test_tiles_that_do_not_reach_a_size_prove_nothing(recorded) -> None:
    await sign(recorded)
    async with recorded.database.connection() as connection:
        (log, *_) = await read_signed(connection)
        with pytest.raises(TilesMissing):
            await prove_inclusion(connection, log._replace(size=log.size + 1000), [0])


async def test_the_command_writes_a_bundle_and_verifies_it(recorded, tmp_path) -> None:
    held = await sign(recorded)
    await asyncio.to_thread((tmp_path / "policy").write_text, f"log {KEY.log_key.vkey()}\nquorum none\n")
    bundle, note = tmp_path / "trail.auditbundle", tmp_path / "held"
    checkpoint = next(iter(held.values()))
    text = sign_note(checkpoint.text(), [KEY.sign(checkpoint.text())])
    await asyncio.to_thread(note.write_bytes, text)
    status, said = await guichet("audit", "export", "--all", "--since", note, "--database", recorded.url, "-o", bundle)
    assert (status, "322 leaves of 2 logs" in said) == (0, True)
    status, said = await guichet("audit", "verify", bundle, "--policy", tmp_path / "policy", "--held", note, "--json")
    assert (status, json.loads(said)["levels"]["L3"]) == (0, "pass")
    status, said = await guichet("audit", "verify", bundle)
    assert status == 2
    status, said = await guichet("audit", "export", "--request", "x", "--database", recorded.url, "-o", bundle)
    assert (status, "nothing about this id" in said) == (1, True)
    assert sorted(path.name for path in await asyncio.to_thread(list, tmp_path.iterdir())) == [
        "held",
        "policy",
        "trail.auditbundle",
    ]


async def guichet(*words: object) -> tuple[int, str]:
    """Runs the command."""
    ran = await run_guichet(*words)
    return ran.code, ran.out + ran.err
