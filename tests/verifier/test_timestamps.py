"""A token bounds when a checkpoint was there, if it is of an authority that the reader trusts, over this checkpoint."""

import builtins
from pathlib import Path

import pytest

import made_bundles as made
from guichet_verify.__main__ import main
from guichet_verify.policy import read_policy
from guichet_verify.report import Level, Status
from guichet_verify.timestamps import NoAuthority, TokenCheck
from guichet_verify.verification import Asked, verify_bundle
from timestamp_authority import Authority, opened_authority

POLICY = read_policy(made.POLICY.encode())
FILES = made.files_of(made.whole(made.POINTED), [made.POINTED])


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return opened_authority(tmp_path / "one")


def test_a_token_over_this_checkpoint_is_accepted_and_no_other(authority: Authority, tmp_path: Path) -> None:
    text = made.POINTED.checkpoint().text()
    check, other = TokenCheck(authority.pem), TokenCheck(Authority(tmp_path / "other").pem)
    token = authority.token(text)

    def judged(token: bytes | None, check: TokenCheck) -> int:
        files = FILES if token is None else {**FILES, "logs/0/checkpoint.tsr": token}
        return verify_bundle(made.write(tmp_path, files), Asked(POLICY, authority=check)).exit_code

    assert judged(token, check) == 0
    assert [judged(each, check) for each in (None, b"no token", token[:-1], authority.token(b"another text"))] == [
        15
    ] * 4
    assert judged(authority.token(text, "sha512"), check) == 15
    assert judged(token, other) == 15


def test_tokens_are_looked_at_only_when_an_authority_is_named(tmp_path: Path) -> None:
    bundle = made.write(tmp_path, {**FILES, "logs/0/checkpoint.tsr": b"anything"})
    assert verify_bundle(bundle, Asked(POLICY)).status[Level.L5] is Status.NOT_ASKED
    assert verify_bundle(bundle, Asked(POLICY, required=[Level.L5])).exit_code == 15


def test_without_the_extra_an_asked_token_is_no_success(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = made.write(tmp_path, {**FILES, "logs/0/checkpoint.tsr": authority.token(made.POINTED.checkpoint().text())})
    imported = builtins.__import__

    def without(name: str, *rest: object) -> object:
        if name == "rfc3161_client":
            raise ImportError(name)
        return imported(name, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", without)
    report = verify_bundle(bundle, Asked(POLICY, authority=TokenCheck(authority.pem)))
    assert (report.exit_code, "not installed" in report.failures[0].reason) == (15, True)


def test_a_file_without_certificates_is_a_wrong_call(tmp_path: Path) -> None:
    with pytest.raises(NoAuthority):
        TokenCheck(b"no certificate")
    (tmp_path / "policy").write_text(made.POLICY)
    (tmp_path / "tsa").write_text("no certificate")
    bundle = made.write(tmp_path, FILES)
    assert main([str(bundle), "--policy", str(tmp_path / "policy"), "--tsa", str(tmp_path / "tsa")]) == 2
