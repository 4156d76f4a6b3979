"""What watches over the trail of an embedded stack: the signer and a witness, with keys made on first start."""

import os
import signal
from collections.abc import Collection
from pathlib import Path

from audit import deployment
from audit.signing import keys
from guichet.stack import databases
from guichet.stack.errors import StackError
from guichet.stack.ports import free_ports, is_free
from guichet.stack.state import WATCHERS, Instance, StackState
from provisioning.certificate_keys import signing_key

MODULES = {"signer": "audit.signing", "witness": "guichet_witness"}


def keys_folder(home: Path) -> Path:
    """Where the private keys of the stack are, readable by its owner alone, and the policy with the public ones."""
    return home / "signing-keys"


def certificate_key(home: Path) -> Path:
    """The key that signs certificates of destruction; its public half is beside it, as `certificates.vkey`."""
    return keys_folder(home) / "certificates.key"


def policy_file(home: Path) -> Path:
    """Whom a verifier of this stack's trail trusts (C2SP tlog-policy)."""
    return keys_folder(home) / "policy"


def policy_text(home: Path) -> bytes:
    """The same, as written; raises StackError where it is not there."""
    file = policy_file(home)
    try:
        return file.read_bytes()
    except OSError as error:
        raise StackError(
            f"whom this trail's verifiers trust is not known: {file}: {error.strerror}",
            f"in a composed stack: docker compose cp witness:/var/lib/guichet/policy/policy {file}",
        ) from None


def ensure_keys(home: Path, state: StackState) -> None:
    """Makes the keys of a new stack, and writes the policy as they now are."""
    folder = keys_folder(home)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    signing_key(certificate_key(home))
    keys.ensure_keys(folder, folder / "witness.key", policy_file(home), state.watchers["witness"].url)


def choose(home: Path, state: StackState, taken: Collection[int]) -> None:
    """A port for each, before anything is told of it."""
    for name in WATCHERS:
        watcher = state.watchers.setdefault(name, Instance(port=0))
        if not watcher.alive(name) and (not watcher.port or not is_free(watcher.port)):
            others = {each.port for each in state.watchers.values()}
            watcher.port = free_ports(1, {*taken, *others})[0]
    ensure_keys(home, state)


def stop(state: StackState, seconds: float = 10.0) -> None:
    """Ends both."""
    running = [each.running.process(name) for name, each in state.watchers.items() if each.running]
    for process in running:
        process.send(signal.SIGTERM)
    for process in running:
        process.stop(seconds=seconds)


def environment(home: Path, state: StackState, name: str) -> dict[str, str]:
    """The variables of one of them; no GUICHET_* variable of the caller's own is passed on."""
    given = {key: value for key, value in os.environ.items() if not key.startswith("GUICHET_")}
    port = state.watchers[name].port
    if name == "witness":
        return given | {
            "GUICHET_KAFKA": state.kafka,
            "GUICHET_WITNESS_LOG": str(policy_file(home)),
            "GUICHET_WITNESS_NAME": keys.WITNESS_NAME,
            "GUICHET_WITNESS_KEY": str(keys_folder(home) / "witness.key"),
            "GUICHET_WITNESS_STATE": str(home / "witness" / "state.db"),
            "GUICHET_WITNESS_LISTEN": f"127.0.0.1:{port}",
        }
    return given | {
        "GUICHET_SIGNER_DATABASE_URL": databases.url(state, deployment.SIGNER, deployment.DATABASE),
        "GUICHET_SIGNER_STATE": str(home / "signer" / "state.db"),
        "GUICHET_SIGNER_KEYS": ",".join(str(path) for path in keys.log_keys(keys_folder(home))),
        "GUICHET_SIGNER_POLICY": str(policy_file(home)),
        "GUICHET_AUDIT_NAME": keys.NAME,
        "GUICHET_HTTP_HOST": "127.0.0.1",
        "GUICHET_HTTP_PORT": str(port),
    }
