"""A log that is broken ends at what was signed, and its next epoch has, or names as lost, everything after that."""

import asyncpg
import pytest
from tests.audit.conftest import NAME
from tests.audit.test_ingest import delete_before, send_raw
from tests.audit.test_signing import until, watched  # noqa: F401  # a fixture

from audit.breaking import NotBroken, break_log
from audit.exporting import Wanted
from guichet_verify.checkpoints import Checkpoint
from guichet_verify.leaves import BREAK, FirstLeaf, encode_first, parse
from guichet_verify.manifest import ALL
from guichet_verify.notes import sign_note
from guichet_verify.tree import leaf_hash, root_of
from guichet_verify.verification import Asked, verify_bundle
from signed_trails import KEY, POLICY, export, sign

KEYS = (KEY.log_key,)
BOTH = ("one", "two")


def origin(trail, epoch=1):
    return f"{NAME}/trail/{trail.topic}/0/{epoch}"


async def broken(trail, available, signed=None, keys=KEYS, before=0):
    connection = await asyncpg.connect(trail.url)
    try:
        return await break_log(connection, NAME, origin(trail), available, BOTH, signed, keys, before)
    finally:
        await connection.close()


async def said(trail, epoch):
    rows = await trail.fetch(
        "SELECT leaf FROM audit.entry JOIN audit.log USING (log_id) WHERE origin = $1 ORDER BY leaf_index",
        origin(trail, epoch),
    )
    return [parse(row["leaf"]) for row in rows]


async def test_what_was_recorded_and_never_signed_is_read_again_into_the_next_epoch(trail, tmp_path):
    for number in range(3):
        await trail.send(b"signed %d" % number)
    await trail.record()
    signed = (await sign(trail))[origin(trail)]
    for number in range(4):
        await trail.send(b"recorded %d" % number)
    await trail.record()
    opened, lost = await broken(trail, (0, 7))
    assert (opened.next_offset, lost) == (3, [])
    await trail.send(b"later")
    await trail.record()
    first, *records = await said(trail, 2)
    assert first == FirstLeaf(opened.origin, 3, BREAK, signed.origin, signed.size, signed.root)
    assert [each.offset for each in records] == [3, 4, 5, 6, 7], "whoever reads the topic again gets this tree"
    assert [each for each in (await trail.verify()).failures if each.level == "L2"] == []
    await sign(trail)
    await export(trail, tmp_path / "all", Wanted(ALL))
    report = verify_bundle(tmp_path / "all", Asked(POLICY, held=[signed]))
    assert report.failures == []
    await sign_ended(trail)
    await export(trail, tmp_path / "more", Wanted(ALL))
    (failure,) = verify_bundle(tmp_path / "more", Asked(POLICY, held=[signed])).failures
    assert str(failure).endswith(f"{origin(trail)}: signed at size 8, and ended at 4 by {opened.origin}")


async def sign_ended(trail):
    """A signer that signs an ended log at its head, which ours does not."""
    (row,) = await trail.fetch("SELECT * FROM audit.log JOIN audit.head USING (log_id) WHERE state = 'broken'")
    text = Checkpoint(row["origin"], row["tree_size"], row["root"]).text()
    async with trail.database.transaction() as connection:
        await connection.execute(
            "INSERT INTO audit.checkpoint VALUES ($1, $2, $3, NULL, now())",
            row["log_id"],
            row["tree_size"],
            sign_note(text, [KEY.sign(text)]).decode(),
        )


async def test_what_lies_in_no_tree_is_found(trail):
    await trail.send(b"signed")
    await trail.record()
    signed = (await sign(trail))[origin(trail)]
    for number in range(3):
        await trail.send(b"recorded %d" % number)
    await trail.record()
    opened, _ = await broken(trail, (0, 4))
    careless = encode_first(FirstLeaf(opened.origin, 3, BREAK, signed.origin, 2, signed.root, ((2, 3),))).hex()
    await trail.tamper(
        f"UPDATE audit.entry SET leaf = '\\x{careless}' WHERE leaf_index = 0 AND log_id = {opened.log_id}"
    )
    found = [(each.log, each.index, each.reason) for each in (await trail.verify()).failures]
    assert (signed.origin, 2, "in-no-tree: offset 1") in found
    assert [each[1] for each in found if "in-no-tree" in each[2]] == [2], "offset 2 is named as lost, offset 3 is read"


async def test_what_was_recorded_and_never_signed_is_named_as_lost_when_the_broker_has_it_no_more(trail):
    await trail.send(b"signed")
    await trail.record()
    signed = (await sign(trail))[origin(trail)]
    await trail.send(b"recorded")
    await trail.record()
    for _ in range(4):
        await trail.send(b"never read")
    await delete_before(trail, 4)
    opened, lost = await broken(trail, (4, 6))
    assert (opened.next_offset, lost) == (4, [(1, 4)]), "from after the last signed leaf on"
    await trail.record()
    first, *records = await said(trail, 2)
    assert first == FirstLeaf(opened.origin, 4, BREAK, signed.origin, 2, signed.root, ((1, 4),))
    assert [each.offset for each in records] == [4, 5]


async def half_signed(trail):
    """Three records under a signature, three recorded since."""
    for number in range(3):
        await trail.send(b"%d" % number)
    await trail.record()
    await sign(trail)
    for number in range(3, 6):
        await trail.send(b"%d" % number)
    await trail.record()


async def test_a_log_ends_at_what_the_signer_signed_even_when_the_table_does_not_know_it_yet(trail):
    await half_signed(trail)
    leaves = [leaf_hash(leaf) for leaf in await trail.leaves()]
    with pytest.raises(NotBroken, match="two roots are signed at size 4"):
        await broken(trail, (0, 6), Checkpoint(origin(trail), 4, bytes(32)))
    signed = Checkpoint(origin(trail), 6, root_of(leaves[:6]))
    opened, lost = await broken(trail, (0, 6), signed)
    assert (opened.next_offset, lost) == (5, [])
    (first,) = await said(trail, 2)
    assert (first.previous_size, first.previous_root) == (6, signed.root)


async def test_leaves_that_do_not_lead_to_what_was_signed_are_read_again_as_far_as_they_are_not_proven(trail):
    await half_signed(trail)
    signed = (await sign(trail))[origin(trail)]
    await trail.tamper(
        "UPDATE audit.entry SET leaf = overlay(leaf PLACING '\\x39' FROM length(leaf)) "
        "WHERE leaf_index = 5 AND log_id = (SELECT min(log_id) FROM audit.log WHERE part = 0)"
    )
    opened, lost = await broken(trail, (0, 6))
    assert (opened.next_offset, lost) == (3, []), "the checkpoint before is still proven"
    await trail.record()
    first, *records = await said(trail, 2)
    assert (first.previous_size, first.previous_root) == (signed.size, signed.root), "no other root for a signed size"
    assert [each.value for each in records] == [b"3", b"4", b"5"]


async def test_the_persons_the_log_and_its_notes_have_to_be_right(trail):
    await trail.send(b"read")
    await trail.record()
    await sign(trail)
    connection = await asyncpg.connect(trail.url)
    try:
        for by, match in ((["one", "one"], "two different persons"), (["one", "two\nthree"], "named by letters")):
            with pytest.raises(NotBroken, match=match):
                await break_log(connection, NAME, origin(trail), (0, 1), by, None, KEYS)
    finally:
        await connection.close()
    with pytest.raises(NotBroken, match="size 2 does not verify"):
        await broken(trail, (0, 1), keys=())
    with pytest.raises(NotBroken, match="nothing up to offset 5"):
        await broken(trail, (0, 1), before=5)
    await broken(trail, (0, 1))
    with pytest.raises(NotBroken, match="a later epoch took over"):
        await broken(trail, (0, 1))


async def test_a_broker_that_was_set_back_is_read_again_from_where_it_begins(trail):
    for number in range(4):
        await trail.send(b"%d" % number)
    await trail.record()
    await sign(trail)
    opened, lost = await broken(trail, (0, 2))
    assert (opened.next_offset, lost) == (0, []), "offsets that it gives out again are other records"


async def test_a_record_that_no_consumer_can_read_is_given_up_by_name_and_its_log_goes_on(trail):
    await trail.send(b"read")
    await send_raw(trail, b"\xff\xfe\xfd\xfc")
    await trail.send(b"readable")
    async with trail.writing() as writer:

        async def halted():
            return bool(writer.halted)

        await trail.until(halted)
        (halt,) = writer.halted.values()
    await sign(trail)
    opened, lost = await broken(trail, (0, 3), before=halt.until)
    assert (opened.next_offset, lost) == (2, [(1, 2)])
    await trail.record()
    assert [each.offset for each in (await said(trail, 2))[1:]] == [2]


async def test_the_signer_signs_no_other_size_of_a_log_that_has_ended_and_the_witness_cosigns_the_next(watched):  # noqa: F811
    trail = watched.trail
    for number in range(3):
        await trail.send(b"%d" % number)
    await trail.record()
    held = await watched.signed()
    for number in range(3, 6):
        await trail.send(b"%d" % number)
    await trail.record()
    connection = await asyncpg.connect(trail.url)
    try:
        signed = Checkpoint(watched.origin, held.size, held.root)
        opened, _ = await break_log(connection, NAME, watched.origin, (0, 6), BOTH, signed, [watched.log_key.log_key])
        fact = await connection.fetchrow("SELECT * FROM chassis.facts WHERE subject = $1", opened.origin)
    finally:
        await connection.close()
    headers = [(f"ce_{name}", str(fact[name]).encode()) for name in ("type", "source", "subject")]
    headers.append(("ce_id", str(fact["event_id"]).encode()))
    await trail.producer.send_and_wait(trail.topics[1], fact["body"], key=b"k", headers=headers)
    await trail.record()
    signer = watched.signer()

    async def next_cosigned():
        await watched.look(signer)
        found = watched.state.get(opened.origin)
        return found is not None and found.witnessed and found.size == 4

    await until(next_cosigned)
    old = watched.state.get(watched.origin)
    assert (old.size, old.root) == (held.size, held.root), "three leaves more are stored, and never signed there"
