"""A timestamp authority of a test's own (RFC 3161), which OpenSSL answers for, and its door over HTTP."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

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
        """Its answer over a text that nobody asked for."""
        (self._folder / "text").write_bytes(text)
        self._run("-query", "-data", "text", f"-{digest}", "-cert", "-no_nonce", "-out", "query")
        return self.reply((self._folder / "query").read_bytes())

    def reply(self, query: bytes) -> bytes:
        """Its answer to a query."""
        (self._folder / "query").write_bytes(query)
        self._run("-reply", "-queryfile", "query", "-config", "configuration", "-section", "config", "-out", "tsr")
        return (self._folder / "tsr").read_bytes()

    def _run(self, *words: str) -> None:
        subprocess.run(["openssl", "ts", *words], cwd=self._folder, check=True, capture_output=True, timeout=60)


def opened_authority(folder: Path) -> Authority:
    """A new authority; the test is skipped where there is no OpenSSL to answer for it."""
    if shutil.which("openssl") is None:
        pytest.skip("OpenSSL is not installed: no timestamp token was made")
    return Authority(folder)


@contextmanager
def served(answer: Callable[[bytes], bytes]) -> Iterator[str]:
    """The address at which queries are answered over HTTP (RFC 3161 section 3.4)."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            given = answer(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.send_header("Content-Length", str(len(given)))
            self.end_headers()
            self.wfile.write(given)

        def log_message(self, *arguments: object) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()
