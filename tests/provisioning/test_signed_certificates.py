"""A certificate of destruction is signed, so that it can be believed without asking us."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from starlette.applications import Starlette
from tests.provisioning.conftest import Bench, permit, running

from contracts.compliance import PermitClosed
from contracts.identity import permit_id
from guichet.stack.postgres import Postgres
from guichet_verify.notes import NotAKey, NotANote, SigningKey, read_note, sign_note, verify
from provisioning.certificate import SIGNER, check, note_text
from provisioning.certificate_keys import (
    AHEAD,
    Signers,
    begin,
    check_in_period,
    periods,
    prepare,
    public_file,
    public_key,
    read_periods,
    retire,
    signing_key,
)
from provisioning.routes import routes

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


NOW = datetime(2026, 9, 1, 12, tzinfo=UTC)


def rotated(file: Path, now: datetime) -> datetime:
    """From when another key signs."""
    _, key, since = prepare(file, now)
    begin(file, key, since)
    return since


def certified(signer: SigningKey, at: datetime) -> tuple[str, str]:
    """A certificate of something destroyed at an instant, and its note."""
    text = json.dumps({"certificate_id": "5f1c4c53-4b37-5c2e-9d0f-0b9e0b1c2d3e", "destroyed_at": at.isoformat()})
    about = note_text("5f1c4c53-4b37-5c2e-9d0f-0b9e0b1c2d3e", hashlib.sha256(text.encode()).hexdigest())
    return text, sign_note(about, [signer.sign(about)]).decode()


def test_what_an_old_key_signed_verifies_after_a_rotation_and_it_signs_nothing_later(tmp_path: Path) -> None:
    file = tmp_path / "certificates.key"
    signers = Signers(file)
    old = certified(signers.at(NOW), NOW)
    stolen = signers.at(NOW)
    since = rotated(file, NOW)
    assert since == NOW + AHEAD
    new = certified(signers.at(since), since)
    assert signers.at(since).log_key != signers.at(since - timedelta(microseconds=1)).log_key == stolen.log_key
    published = read_periods(signers.published())
    assert published == periods(file)
    assert [(each.since, each.until) for each in published] == [(None, since), (since, None)]
    for text, note in (old, new):
        assert check_in_period(text, note, published) == SIGNER
    with pytest.raises(NotANote, match="whose turn it was not"):
        check_in_period(*certified(stolen, since), published)
    with pytest.raises(NotANote, match="whose turn it was not"):
        check_in_period(*certified(signers.at(since), NOW), published)


def test_a_key_whose_turn_is_over_is_destroyed_and_its_certificates_verify_still(tmp_path: Path) -> None:
    file = tmp_path / "certificates.key"
    signers = Signers(file)
    old = certified(signers.at(NOW), NOW)
    since = rotated(file, NOW)
    assert retire(file, since) == [], "a certificate of just before may still be on its way"
    assert retire(file, since + AHEAD) == [periods(file)[0].key]
    assert not file.exists()
    again = Signers(file)
    assert not file.exists(), "a key that is gone is not made anew"
    assert again.at(since).log_key == periods(file)[1].key
    assert check_in_period(*old, periods(file)) == SIGNER
    assert retire(file, since + AHEAD) == []
    later = rotated(file, since + AHEAD)
    assert [each.since for each in periods(file)] == [None, since, later]


def test_a_rotation_that_was_cut_short_is_taken_up_again_with_the_same_key(tmp_path: Path) -> None:
    file = tmp_path / "certificates.key"
    signers = Signers(file)
    _, made, _ = prepare(file, NOW)
    assert signers.at(NOW + 2 * AHEAD).log_key != made, "it signs nothing before it is listed"
    since = rotated(file, NOW)
    assert periods(file)[-1].key == made
    with pytest.raises(NotAKey, match="about to begin"):
        prepare(file, since - timedelta(seconds=1))


@pytest.mark.parametrize(
    "line", ["", "2026-09-01T12:00:00Z {key}", "- {key}\n- {key}", "- {key}\nyesterday {key}", "-"]
)
def test_a_list_of_keys_that_says_nothing_clear_is_not_read(tmp_path: Path, line: str) -> None:
    key = signing_key(tmp_path / "certificates.key").log_key.vkey()
    with pytest.raises(NotAKey):
        read_periods(line.format(key=key))


async def test_a_service_signs_with_the_key_of_the_moment_and_without_one_needs_a_person(
    postgres: Postgres, holder_url: str, tmp_path: Path
) -> None:
    file = tmp_path / "certificates.key"
    signing_key(file)
    since = rotated(file, datetime.now(UTC) - 2 * AHEAD)
    async with running(postgres, holder_url, certificate_key=file) as bench:
        newest = file.with_name("certificates-2.key")
        newest.rename(tmp_path / "away")
        await bench.tell(permit(bench.request_id))
        await bench.until("workspace.opened")
        closed = PermitClosed(request_id=bench.request_id, on=date(2026, 9, 1), permit_id=permit_id(bench.request_id))
        await bench.tell(closed)
        needed = await bench.until("workspace.person-needed")
        assert (needed["step"], needed["code"]) == ("destroy", "CERTIFICATE_KEY_UNREADABLE")
        (tmp_path / "away").rename(newest)
        async with bench.desk() as desk:
            await desk.retry(bench.workspace_id)
            await bench.until("workspace.destroyed")
            ((text, note),) = await desk.certificates(bench.workspace_id)
    assert note is not None and since < datetime.now(UTC)
    assert check(text, note, [signing_key(file).log_key]) == SIGNER
    assert check_in_period(text, note, periods(file)) == SIGNER


async def published(bench: Bench, signers: Signers | None) -> httpx.Response:
    app = Starlette(routes=routes(bench.runtime, signers))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://provisioning") as asking:
        return await asking.get("/certificate-keys")


async def test_which_key_signs_from_when_is_published_where_certificates_are_signed(
    bench: Bench, tmp_path: Path
) -> None:
    file = tmp_path / "certificates.key"
    signers = Signers(file)
    rotated(file, NOW)
    answer = await published(bench, signers)
    assert (answer.status_code, read_periods(answer.text)) == (200, periods(file))
    assert "PRIVATE" not in answer.text
    assert (await published(bench, None)).status_code == 404
