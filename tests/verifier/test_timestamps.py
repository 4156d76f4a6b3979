"""A token bounds when a checkpoint was there, if it is of an authority that the reader trusts, over this checkpoint."""

import builtins
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

import made_bundles as made
from guichet_verify.__main__ import main
from guichet_verify.policy import read_policy
from guichet_verify.report import Level, Status
from guichet_verify.timestamps import NoAuthority, TokenCheck
from guichet_verify.verification import Asked, verify_bundle

POLICY = read_policy(made.POLICY.encode())
FILES = made.files_of(made.whole(made.POINTED), [made.POINTED])

_CONFIGURATION = """
[tsa]
default_tsa = config
[config]
serial = {folder}/serial
signer_cert = {folder}/tsa.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4
digests = sha256, sha512
accuracy = secs:1
ess_cert_id_alg = sha256
"""


class Authority:
    """A timestamp authority of one certificate, which OpenSSL answers for."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder = folder
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, f"authority {folder.name}")])
        now = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=365))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.TIME_STAMPING]), critical=True)
            .sign(key, hashes.SHA256())
        )
        self.pem = certificate.public_bytes(serialization.Encoding.PEM)
        (folder / "tsa.pem").write_bytes(self.pem)
        (folder / "tsa.key").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        (folder / "serial").write_text("01\n")
        (folder / "configuration").write_text(_CONFIGURATION.format(folder=folder))

    def token(self, text: bytes, digest: str = "sha256") -> bytes:
        (self._folder / "text").write_bytes(text)
        query = ["ts", "-query", "-data", "text", f"-{digest}", "-cert", "-no_nonce", "-out", "query"]
        reply = ["ts", "-reply", "-queryfile", "query", "-config", "configuration", "-section", "config", "-out", "tsr"]
        for words in (query, reply):
            subprocess.run(["openssl", *words], cwd=self._folder, check=True, capture_output=True, timeout=60)
        return (self._folder / "tsr").read_bytes()


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    if shutil.which("openssl") is None:
        pytest.skip("OpenSSL is not installed: no timestamp token was made")
    return Authority(tmp_path / "one")


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
