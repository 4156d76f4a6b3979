"""`guichet audit verify` of a trail, and of a copy of one, with what an auditor brings."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.audit.test_trace import guichet

from guichet_verify.checkpoints import Checkpoint
from guichet_verify.notes import SigningKey, sign_note
from signed_trails import KEY, sign


@pytest.mark.threat(9)
@pytest.mark.threat(10)
async def test_audit_verify_holds_a_trail_against_the_checkpoints_that_are_brought(trail, tmp_path):
    policy, held = tmp_path / "policy", tmp_path / "held"
    policy.write_text(f"log {KEY.log_key.vkey()}\nquorum none\n")
    origin = f"guichet.example/audit/trail/{trail.topic}/0/1"
    await trail.send(b"1")
    await trail.record()
    ((_, size, root),) = [tuple(each) for each in (await sign(trail)).values() if each.origin == origin]

    async def verified(checkpoint: Checkpoint, key: SigningKey = KEY):
        held.write_bytes(sign_note(checkpoint.text(), [key.sign(checkpoint.text())]))
        return await guichet("audit", "verify", "--database", trail.url, "--policy", policy, "--held", held)

    assert (await verified(Checkpoint(origin, size, root)))[0] == 0
    code, out, _ = await verified(Checkpoint(origin, size, bytes(32)))
    assert (code, f"L3 {origin}: fork: another root at size 2" in out) == (13, True)
    code, out, _ = await verified(Checkpoint(origin, size + 7, root))
    assert (code, f"L3 {origin}: rollback: size 9 is held by the checkpoint that was brought" in out) == (13, True)
    code, out, error = await verified(
        Checkpoint(origin, size, root), SigningKey(KEY.log_key.name, Ed25519PrivateKey.generate())
    )
    assert (code, out, "not a checkpoint to hold against" in error) == (2, "", True)
    code, out, error = await guichet("audit", "verify", "--database", trail.url, "--held", tmp_path / "nowhere")
    assert (code, out) == (2, "")
    code, out, error = await guichet("audit", "verify", "--database", trail.url, "--require", "L3")
    assert (code, out, "asked of a bundle" in error) == (2, "", True)
