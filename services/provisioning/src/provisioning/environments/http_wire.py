"""What travels between us and a provisioner, one class for each body. Unknown members are ignored on both sides.

Persons appear as logins that say nothing outside their workspace, with a verifier of a password that we made; data as
pseudonymised rows. No reference of a person, no permit, no applicant goes out: a provisioner needs none of them.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from contracts.facts import OPTIONAL, Shape
from contracts.provisioning import Name
from contracts.vocabulary import Code, Count, Instant, Reference, Sha256, Uuid

State = Literal["working", "ready", "open", "frozen", "closed", "destroyed"]
Access = Literal["open", "frozen", "closed"]
Login = Annotated[str, Field(pattern=r"^ws_[0-9a-f]{16}_[0-9a-z]{1,16}$")]
"""`ws_`, the first 16 digits of the workspace's id, and digits of a hash; or `probe`."""
Verifier = Annotated[
    str, Field(pattern=r"^SCRAM-SHA-256\$[0-9]{4,7}:[A-Za-z0-9+/=]{16,88}\$[A-Za-z0-9+/=]{44}:[A-Za-z0-9+/=]{44}$")
]
"""`SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey` (RFC 5803), as PostgreSQL has it."""
ColumnType = Literal["text", "integer", "bigint", "numeric", "boolean", "date", "timestamptz", "float8"]
ColumnName = Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]{0,62}$")]


class Place(Shape):
    """`PUT /workspaces/{id}`: make an empty place, closed to everybody, with a login for probes."""

    probe: Login


class TableColumn(Shape):
    """A column: the provisioner may keep every value as text, as long as it gives the same lines back."""

    name: ColumnName
    type: ColumnType


class Upload(Shape):
    """`PUT /workspaces/{id}/tables/{table}`: the chunks of an upload become this table, in place of what it was."""

    dataset_id: Reference
    columns: tuple[TableColumn, ...]
    upload: Uuid
    chunks: Count
    rows: Count
    sha256: Sha256


class Removal(Shape):
    """`POST /workspaces/{id}/tables/{table}/removals`: rows whose first value is one of these go."""

    pseudonyms: tuple[Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")], ...]


class Admitted(Shape):
    """A login and the instant at which it ends."""

    login: Login
    until: Instant


class Admission(Shape):
    """`PUT /workspaces/{id}/logins`: exactly these logins exist; sessions of others end. They come in if `enter`."""

    logins: tuple[Admitted, ...]
    enter: bool


class Password(Shape):
    """`PUT /workspaces/{id}/logins/{login}/password`: what a password is checked against; null takes it away."""

    verifier: Verifier | None
    until: Instant | None = OPTIONAL


class Door(Shape):
    """`PUT /workspaces/{id}/access`: let the logins in, or keep everybody out and end every session."""

    access: Access


class Rights(Shape):
    """`POST /workspaces/{id}/restore`: the logins may read these tables and nothing else; nobody is let in."""

    tables: tuple[Name, ...]


class TableFound(Shape):
    """A table as the provisioner counts and hashes it."""

    dataset_id: Reference
    table: Name
    rows: Count
    sha256: Sha256


class TableThere(Shape):
    """A table that is there."""

    dataset_id: Reference
    table: Name


class LoginThere(Shape):
    """A login that is there, and whether it would be let in now."""

    login: Login
    enters: bool
    until: Instant | None = OPTIONAL


class Status(Shape):
    """What is really there. `working`: an order is being carried out; ask again.

    logins    all but the one for probes
    unread    tables and logins that lack a right they should have
    beyond    names of what a login reaches outside its workspace
    failed    why the last order was not carried out
    """

    workspace_id: Uuid
    state: State
    tables: tuple[TableThere, ...]
    logins: tuple[LoginThere, ...]
    sessions: Count
    unread: tuple[Name, ...] = ()
    beyond: tuple[Name, ...] = ()
    failed: Code | None = OPTIONAL


class Columns(Shape):
    """`GET /workspaces/{id}/tables/{table}`: a table with its columns, counted and hashed anew."""

    dataset_id: Reference
    table: Name
    columns: tuple[TableColumn, ...]
    rows: Count
    sha256: Sha256


class Destroyed(Shape):
    """`DELETE /workspaces/{id}`: what the provisioner found left after it had destroyed, by its own look.

    backups   names of the backup sets that hold the data on, when backups are not covered
    """

    workspace_id: Uuid
    state: Literal["working", "destroyed"]
    objects_left: Count
    covers_backups: bool
    backups: tuple[Name, ...] = ()


class Entered(Shape):
    """`POST /workspaces/{id}/sessions`: a session of a login that came in."""

    token: Annotated[str, Field(pattern=r"^[A-Za-z0-9._~-]{16,512}$")]


class TableSeen(Shape):
    """A table as a session sees it."""

    table: Name
    rows: Count


class Seen(Shape):
    """`GET /workspaces/{id}/sessions/current`: what a session can read, counted by reading it."""

    tables: tuple[TableSeen, ...]


class Report(Shape):
    """`POST /environments/{id}/reports` on our side: what became of a workspace, said by its host."""

    report_id: Uuid
    workspace_id: Uuid
    state: Literal["ready", "open", "frozen", "closed", "destroyed"]
    at: Instant


class Trouble(Shape):
    """A problem (RFC 9457) with a code that we act upon."""

    type: str
    title: str
    status: Annotated[int, Field(ge=100, le=599)]
    code: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,47}$")]


SUPERSEDED = "superseded"
"""409: an order with a newer fence has come before this one."""
LOGIN_NOT_OPEN = "login-not-open"
"""409: a password for a login that may not come in."""
REFUSALS = frozenset({"not-acceptable", "no-place", "no-capacity", "not-qualified", "wrong-order"})
"""Codes with which a provisioner says that trying again cannot help: a person is needed."""
