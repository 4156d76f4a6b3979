"""The names that a workspace has in PostgreSQL: a database with one schema, a group, a login for each person."""

import hashlib

PROBE = "probe"
LONGEST_PREFIX = 40
LONGEST = 128


def schema(workspace_id: str) -> str:
    """The schema of a workspace, the database that holds nothing else, and the group that may read it."""
    return "ws_" + workspace_id.replace("-", "")[:16]


def login(workspace_id: str, ref: str) -> str:
    """The login role of a person: says nothing about the person outside this workspace."""
    digest = hashlib.sha256(f"{workspace_id}:{ref}".encode()).hexdigest()
    return f"{schema(workspace_id)}_{digest[:10]}"


def probe(workspace_id: str) -> str:
    """The login role that only probes use; it has no password outside them."""
    return f"{schema(workspace_id)}_{PROBE}"


def table_prefix(dataset_id: str) -> str:
    """What the tables of a dataset begin with: lower case, no character that would need quoting, at most 40."""
    plain = "".join(c if c.isalnum() else "_" for c in dataset_id.lower())
    if not plain[0].isalpha():
        plain = "d_" + plain
    if len(plain) > LONGEST_PREFIX:
        plain = f"{plain[: LONGEST_PREFIX - 9]}_{hashlib.sha256(dataset_id.encode()).hexdigest()[:8]}"
    return plain


def plain(name: str) -> str:
    """A name as facts may hold it: what no name of ours has becomes an underscore."""
    kept = "".join(c if c.isascii() and (c.isalnum() or c in "_.:-") else "_" for c in name)
    return (kept if kept[:1].isalpha() or kept[:1] == "_" else "_" + kept)[:LONGEST]


def quoted(name: str) -> str:
    """An identifier of SQL."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A string of SQL, for the statements that take no parameters."""
    return "'" + text.replace("'", "''") + "'"
