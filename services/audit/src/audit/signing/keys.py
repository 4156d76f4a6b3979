"""The keys of a log and of a witness that stands beside it, made on first start, and the policy that names them.

For a composed stack: `python -m audit.signing.keys LOG_FOLDER WITNESS_KEY POLICY WITNESS_URL`.
"""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path

from guichet_verify.keyfiles import make_key_file, read_key_file, read_or_make

NAME = "guichet.example/audit"
WITNESS_NAME = "guichet.example/witness"


def log_keys(folder: Path) -> list[Path]:
    """The files of the keys that sign, the oldest first; more than one while they are being rotated."""
    return sorted(folder.glob("log-*.key"), key=lambda path: int(path.stem.removeprefix("log-")))


def ensure_keys(folder: Path, witness_key: Path, policy: Path, witness_url: str, name: str = NAME) -> None:
    """Makes what is missing, and writes the policy as it now is."""
    if not log_keys(folder):
        make_key_file(folder / "log-1.key", name)
    read_or_make(witness_key, WITNESS_NAME)
    write_policy(folder, witness_key, policy, witness_url)


def next_key(folder: Path, name: str = NAME) -> Path:
    """A further log key beside those that are there: from now on both sign."""
    newest = log_keys(folder)[-1]
    path = folder / f"log-{int(newest.stem.removeprefix('log-')) + 1}.key"
    make_key_file(path, name)
    return path


def write_policy(folder: Path, witness_key: Path, policy: Path, witness_url: str) -> None:
    """Whom a verifier of this trail trusts (C2SP tlog-policy): every log key, and the witness with its address."""
    logs = [f"log {read_key_file(path).log_key.vkey()}" for path in log_keys(folder)]
    witness = read_key_file(witness_key).cosigner_key.vkey()
    text = "\n".join([*logs, f"witness witness {witness} {witness_url}", "quorum witness", ""])
    policy.parent.mkdir(parents=True, exist_ok=True)
    partial = policy.with_name(f".{policy.name}.{os.getpid()}.{secrets.token_hex(4)}")
    partial.write_text(text, "utf-8")
    partial.replace(policy)


def main() -> int:
    """0 when everything is there."""
    if len(sys.argv) != 5:
        sys.stderr.write(f"{__doc__}")
        return 2
    folder, witness_key, policy = (Path(argument) for argument in sys.argv[1:4])
    ensure_keys(folder, witness_key, policy, sys.argv[4])
    return 0


if __name__ == "__main__":
    sys.exit(main())
