"""A certificate of destruction is signed, so that it can be believed without asking us."""

from __future__ import annotations

import hashlib
import json
from datetime import date
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.provisioning.conftest import Bench, permit, running

from contracts.compliance import PermitClosed
from contracts.identity import permit_id
from guichet.stack.postgres import Postgres
from guichet_verify.notes import NotAKey, NotANote, SigningKey, read_note, sign_note, verify
from provisioning.certificate import SIGNER, check, note_text
from provisioning.certificate_keys import public_file, public_key, signing_key

TEXT = '{"certificate_id":"5f1c4c53-4b37-5c2e-9d0f-0b9e0b1c2d3e","objects_left":0}'
SHA256 = "8f8ea7e8ff06df3c0a2bb0b7c1dbc3a0e1ee9b2ba5ba8a4e1f4e6a7d4ba50d62"


async def destroyed(bench: Bench) -> dict[str, object]:
    await bench.tell(permit(bench.request_id))
    await bench.until("workspace.opened")
    ended = PermitClosed(request_id=bench.request_id, on=date(2026, 9, 1), permit_id=permit_id(bench.request_id))
    await bench.tell(ended)
    certificate: dict[str, object] = (await bench.until("workspace.destroyed"))["certificate"]
    return certificate


async def test_what_the_trail_says_and_what_is_kept_are_signed_by_one_key(
    postgres: Postgres, holder_url: str, tmp_path: Path
) -> None:
    file = tmp_path / "keys" / "certificates.key"
    async with running(postgres, holder_url, certificate_key=file) as bench:
        said = await destroyed(bench)
        async with bench.desk() as desk:
            ((text, note),) = await desk.certificates(bench.workspace_id)
    assert file.stat().st_mode & 0o777 == 0o600
    key = public_key(public_file(file))
    assert note is not None
    assert check(text, note, [key]) == SIGNER
    # From the fact alone, with nothing of ours but the public key.
    alone = note_text(str(said["certificate_id"]), str(said["sha256"])) + f"\n{said['signature']}\n".encode()
    assert alone == note.encode()
    assert [each.key for each in verify(read_note(alone), [key])] == [key]
    # One table fewer is another certificate.
    less = json.dumps(json.loads(text) | {"tables": []}, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    with pytest.raises(NotANote, match="another certificate"):
        check(less, note, [key])


async def test_without_a_key_a_certificate_is_digested_and_says_no_signature(bench: Bench) -> None:
    said = await destroyed(bench)
    assert "sha256" in said
    assert "signature" not in said
    async with bench.desk() as desk:
        ((_, note),) = await desk.certificates(bench.workspace_id)
    assert note is None


def test_a_key_is_made_once_and_kept(tmp_path: Path) -> None:
    file = tmp_path / "certificates.key"
    first = signing_key(file)
    assert signing_key(file).log_key == first.log_key
    public_file(file).unlink()
    signing_key(file)
    assert public_key(public_file(file)) == first.log_key


def test_a_key_that_others_may_read_signs_nothing(tmp_path: Path) -> None:
    file = tmp_path / "certificates.key"
    signing_key(file)
    file.chmod(0o640)
    with pytest.raises(NotAKey, match="read by others"):
        signing_key(file)


def test_a_certificate_signed_by_a_stranger_or_about_another_is_not_believed() -> None:
    ours, stranger = (SigningKey(SIGNER, Ed25519PrivateKey.generate()) for _ in range(2))
    about = note_text("5f1c4c53-4b37-5c2e-9d0f-0b9e0b1c2d3e", SHA256)
    strange = sign_note(about, [stranger.sign(about)]).decode()
    with pytest.raises(NotANote, match="another certificate"):
        check(TEXT, strange, [ours.log_key])
    about = note_text("5f1c4c53-4b37-5c2e-9d0f-0b9e0b1c2d3e", hashlib.sha256(TEXT.encode()).hexdigest())
    with pytest.raises(NotANote, match="no known key"):
        check(TEXT, sign_note(about, [stranger.sign(about)]).decode(), [ours.log_key])
    assert check(TEXT, sign_note(about, [ours.sign(about)]).decode(), [ours.log_key]) == SIGNER
