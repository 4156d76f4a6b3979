"""The certificate of a destruction: of a workspace at its end, or of the place it left when it moved (EHDS:68(12)).

Signed, it is a C2SP signed note over its id and digest: `note_text`, then the signature. Whoever has the certificate,
the note and the public key can verify it, without us and with any tool for signed notes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import NAMESPACE_URL, uuid5

from contracts import provisioning as facts
from contracts.envelope import write_time
from guichet_verify.notes import Key, NotANote, SigningKey, read_note, sign_note, verify
from provisioning.environments import Deletion
from provisioning.places import place_of
from provisioning.project import Leaving, Project, Table
from provisioning.storage import Workspace

NOWHERE = "none"
"""The environment of a workspace that never had one."""


SIGNER = "guichet.example/certificates"
"""The name under which certificates are signed, unless the key file bears another."""


def note_text(certificate_id: str, sha256: str) -> bytes:
    """What is signed of a certificate."""
    return f"guichet deletion certificate v1\n{certificate_id}\nsha256 {sha256}\n".encode()


def check(text: str, note: str, keys: Iterable[Key]) -> str:
    """The name of the key that signed a certificate; raises NotANote when the note is not about it, or not by a key.

    `text` is the certificate byte for byte as it was kept.
    """
    read = read_note(note.encode())
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    if read.text != note_text(json.loads(text)["certificate_id"], sha256):
        raise NotANote("the note is about another certificate")
    return verify(read, keys)[0].key.name


class Certificate:
    """`text` is what is kept, in canonical JSON; `sha256` its digest; `note` the signed note about both, None unsigned.

    `fact` is what the trail is told.
    The pseudonyms' key goes with a workspace; it stays when the workspace has only moved.
    """

    def __init__(
        self,
        workspace: Workspace,
        project: Project,
        place: str,
        environment_id: str,
        tables: Sequence[Table],
        logins: Sequence[str],
        key_destroyed: bool,
        done: Deletion,
        now: datetime,
        key: SigningKey | None = None,
    ) -> None:
        certificate_id = str(uuid5(NAMESPACE_URL, f"urn:guichet:certificate:{place}"))
        whole = {
            "certificate_id": certificate_id,
            "workspace_id": workspace.workspace_id,
            "request_id": workspace.request_id,
            "permit_id": project.permit.permit_id,
            "permit_version": project.permit.version,
            "environment_id": environment_id,
            "destroyed_at": write_time(now),
            "tables": [
                {"dataset_id": t.dataset_id, "table": t.table, "rows": t.rows, "sha256": t.sha256} for t in tables
            ],
            "logins_removed": list(logins),
            "pseudonym_key_destroyed": key_destroyed,
            "objects_left": done.objects_left,
            "covers_backups": done.covers_backups,
            "backups": list(done.backups),
            "citation": "EHDS:68(12)",
        }
        self.text = json.dumps(whole, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        self.sha256 = hashlib.sha256(self.text.encode()).hexdigest()
        text = note_text(certificate_id, self.sha256)
        signed = None if key is None else key.sign(text)
        self.note = None if signed is None else sign_note(text, [signed]).decode()
        self.fact = facts.DeletionCertificate(
            environment_id=environment_id,
            destroyed_at=now,
            tables=tuple(
                facts.TableDestroyed(dataset_id=t.dataset_id, table=t.table, rows=t.rows, sha256=t.sha256)
                for t in tables
            ),
            logins_removed=tuple(logins),
            objects_left=done.objects_left,
            covers_backups=done.covers_backups,
            certificate_id=certificate_id,
            permit_id=project.permit.permit_id,
            permit_version=project.permit.version,
            pseudonym_key_destroyed=key_destroyed,
            backups=done.backups,
            sha256=self.sha256,
            signature=None if signed is None else signed.line().removesuffix("\n"),
        )

    @classmethod
    def of_workspace(
        cls, workspace: Workspace, project: Project, done: Deletion, now: datetime, key: SigningKey | None = None
    ) -> Certificate:
        """All that was there is gone, and the key with it."""
        place = place_of(workspace.workspace_id, project.place)
        here = project.environment_id or NOWHERE
        return cls(workspace, project, place, here, project.tables, project.logins, True, done, now, key)

    @classmethod
    def of_move(
        cls,
        workspace: Workspace,
        project: Project,
        leaving: Leaving,
        done: Deletion,
        now: datetime,
        key: SigningKey | None = None,
    ) -> Certificate:
        """What stood where a workspace was before it moved is gone."""
        place = place_of(workspace.workspace_id, leaving.place)
        there = leaving.environment_id
        return cls(workspace, project, place, there, leaving.tables, leaving.logins, False, done, now, key)
