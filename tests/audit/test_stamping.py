"""A timestamp authority bounds when a checkpoint was there; what it does not answer holds nothing up."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import httpx
import pytest
from tests.audit.conftest import until

from audit.exporting import NotExported, Wanted
from audit.publication import Publication, read_answer
from audit.signing.app import routes
from audit.signing.signer import Signer
from audit.signing.stamping import Authority, NotStamped, stamp_due
from audit.signing.state import SignerState
from chassis.server import build_app
from chassis.transaction import Transaction
from guichet.replay.instants import NoSuchVector, sizes_published, sizes_stamped
from guichet_verify.checkpoints import Checkpoint
from guichet_verify.manifest import ALL
from guichet_verify.notes import sign_note
from guichet_verify.report import Level
from guichet_verify.timestamps import TokenCheck
from guichet_verify.verification import Asked, verify_bundle
from signed_trails import KEY, POLICY, export, say
from threats import write_table
from timestamp_authority import opened_authority, served


@pytest.fixture
def authority(tmp_path):
    return opened_authority(tmp_path / "authority")


@pytest.fixture
async def signing(trail, tmp_path):
    """A signer's state over a trail, its door, and what it takes to publish what it signed."""
    state = SignerState(tmp_path / "signer.db")
    answers = httpx.ASGITransport(build_app(routes(Signer([KEY], state), state, lambda: True), lambda: True))

    async def sign() -> None:
        for row in await trail.fetch("SELECT origin, tree_size, root FROM audit.head JOIN audit.log USING (log_id)"):
            checkpoint, held = Checkpoint(*row), state.get(row["origin"])
            before = None if held is None else (held.size, held.root)
            if before != (checkpoint.size, checkpoint.root):
                assert state.swap(checkpoint.origin, before, checkpoint.size, checkpoint.root)
                note = sign_note(checkpoint.text(), [KEY.sign(checkpoint.text())]).decode()
                state.keep_note(checkpoint.origin, note, witnessed=True)

    @asynccontextmanager
    async def transactions() -> AsyncIterator[Transaction]:
        async with trail.database.transaction() as connection:
            yield Transaction(connection, datetime.now(UTC), "audit")

    async def publish() -> None:
        async with httpx.AsyncClient(transport=answers, base_url="http://signer") as client:
            found = (await client.get("/checkpoints?since=0")).json()["checkpoints"]
        await Publication("", transactions).publish([read_answer(each) for each in found], first=False)

    yield SimpleNamespace(state=state, sign=sign, publish=publish)
    state.close()


async def test_a_checkpoint_gains_a_token_once_an_hour_and_an_auditor_verifies_it(signing, trail, authority, tmp_path):
    await say(trail, "s", 1)
    await trail.record()
    await signing.sign()
    check = TokenCheck(authority.pem)
    with served(authority.reply) as url:
        asked = Authority(url, check)
        assert await stamp_due(asked, signing.state) == 2
        assert await stamp_due(asked, signing.state) == 0, "what did not grow has its token"
        await signing.publish()
        await export(trail, tmp_path / "bundle", Wanted(ALL))
        assert verify_bundle(tmp_path / "bundle", Asked(POLICY, authority=check, required=[Level.L5])).exit_code == 0
        await say(trail, "s", 2)
        await trail.record()
        await signing.sign()
        assert await stamp_due(asked, signing.state) == 0, "within the hour"
        await signing.publish()
        await export(trail, tmp_path / "newest", Wanted(ALL))
        assert verify_bundle(tmp_path / "newest", Asked(POLICY, authority=check)).exit_code == 15
        await export(trail, tmp_path / "stamped", Wanted(ALL, stamped=True))
        assert verify_bundle(tmp_path / "stamped", Asked(POLICY, authority=check)).exit_code == 0
        assert await stamp_due(asked, signing.state, every=0) == 1, "the one log that grew"
        await signing.publish()
    rows = await trail.fetch("SELECT count(token) FROM audit.checkpoint")
    assert rows[0]["count"] == 3


async def test_what_was_stamped_by_an_instant_is_what_the_token_says_and_not_what_was_published_by_then(
    signing, trail, authority, tmp_path
):
    origin = f"guichet.example/audit/trail/{trail.topic}/0/1"
    with served(authority.reply) as url:
        asked = Authority(url, TokenCheck(authority.pem))
        await say(trail, "s", 1)
        await trail.record()
        await signing.sign()
        await signing.publish()
        published = datetime.now(UTC)
        await until(lambda: _is_past(published + timedelta(seconds=1)))  # A token tells whole seconds.
        await stamp_due(asked, signing.state)
        await signing.publish()
        stamped = datetime.now(UTC)
        await until(lambda: _is_past(stamped + timedelta(seconds=1)))
        await say(trail, "s", 2)
        await trail.record()
        await signing.sign()
        await stamp_due(asked, signing.state, every=0)
        await signing.publish()
    async with trail.database.connection() as connection:
        assert (await sizes_published(connection, published)).sizes[origin] == 2
        with pytest.raises(NoSuchVector, match="no authority had stamped a checkpoint by"):
            await sizes_stamped(connection, published)
        assert (await sizes_stamped(connection, stamped)).as_json()["sizes"][origin] == 2
        assert (await sizes_stamped(connection, None)).sizes[origin] == 3
    decided = await export(trail, tmp_path / "bundle", Wanted(ALL, as_of=stamped, stamped=True))
    assert {log.origin: log.size for log in decided.logs}[origin] == 2
    with pytest.raises(NotExported):
        await export(trail, tmp_path / "early", Wanted(ALL, as_of=published, stamped=True))


async def _is_past(instant):
    return datetime.now(UTC) > instant


async def test_an_answer_that_is_not_this_authoritys_over_this_checkpoint_is_not_kept(authority, tmp_path):
    other, text = opened_authority(tmp_path / "other"), b"three lines"
    check = TokenCheck(authority.pem)

    def refused(answer, check=check):
        with served(answer) as url, pytest.raises(NotStamped) as caught:
            Authority(url, check).stamp(text)
        return str(caught.value)

    with served(authority.reply) as url:
        assert check.refuses(Authority(url, check).stamp(text), hashlib.sha256(text).digest()) is None
    assert "not this authority's" in refused(other.reply)
    assert "not this authority's" in refused(lambda query: b"no token")
    assert "not this authority's" in refused(lambda query: authority.token(b"another text"))
    assert refused(lambda query: authority.token(text)) == "the answer to another question"
    assert refused(lambda query: bytes(70_000)) == "an answer of more than 64 KiB"
    with pytest.raises(NotStamped, match="does not answer"):
        Authority("http://127.0.0.1:9", check).stamp(text)


@pytest.mark.threat(18)
async def test_a_clock_that_was_set_back_is_found_by_the_tokens_around_what_it_said(signing, trail, authority):
    now = datetime.now(UTC)
    check = TokenCheck(authority.pem)

    async def said(number: int, when: datetime) -> None:
        headers = {"ce_id": f"e-{number}", "ce_type": "t", "ce_source": "/guichet/intake", "ce_time": when.isoformat()}
        await trail.send(b"{}", [(name, value.encode()) for name, value in headers.items()])

    with served(authority.reply) as url:
        await said(1, now)
        await trail.record()
        await signing.sign()
        await stamp_due(Authority(url, check), signing.state)
        await signing.publish()
        assert (await trail.verify()).holds
        await said(2, now - timedelta(days=2))
        await said(3, now + timedelta(days=2))
        await said(4, now)
        await trail.record()
        await signing.sign()
        await stamp_due(Authority(url, check), signing.state, every=0)
        await signing.publish()
    report = await trail.verify()
    found = {(each.level, each.index, each.reason) for each in report.failures}
    assert found == {("L5", 2, "time-before-its-token-window"), ("L5", 3, "time-after-its-token-window")}
    assert report.exit_code == 15
    row = ("clock of a producer set back two days", "root, clock", "detected", "tokens: time-before-its-token-window")
    write_table([row], afresh="root, clock")
