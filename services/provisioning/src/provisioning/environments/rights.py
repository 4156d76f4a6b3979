# ruff: noqa: S608 - statements are made of constants of this module and quoted identifiers
"""What the logins of a workspace reach: found in the server's own catalogues, and put right.

Every right that was ever granted to a role, in whatever database, is a row of pg_shdepend: so a grant made behind our
back is found wherever it was made. What everybody may do is asked of the probe's login, which may do the same.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import asyncpg

from chassis.closing import left_open
from provisioning.environments import databases, names, roles
from provisioning.environments.names import quoted

_ROLES = "SELECT oid FROM pg_roles WHERE rolname = $1 OR starts_with(rolname, $1 || '_')"

# Memberships other than the plain one in the workspace's own group.
_MEMBERSHIPS = f"""
    SELECT member::regrole::text AS login, roleid::regrole::text AS other FROM pg_auth_members
    WHERE member IN ({_ROLES}) AND (roleid::regrole::text <> $1 OR admin_option OR set_option)
"""
_NOT_MEMBERS = f"""
    SELECT rolname FROM pg_roles AS r WHERE oid IN ({_ROLES}) AND rolname <> $1 AND NOT EXISTS (
        SELECT FROM pg_auth_members AS m WHERE m.member = r.oid AND m.roleid::regrole::text = $1 AND m.inherit_option)
"""
_ATTRIBUTES = f"""
    SELECT rolname FROM pg_roles
    WHERE oid IN ({_ROLES}) AND (rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls)
"""
_OTHER_DATABASES = """
    SELECT datname FROM pg_database
    WHERE datallowconn AND datname <> $1 AND has_database_privilege($2, oid, 'CONNECT')
"""
# Rights ('a') and possessions ('o') in other databases and on what belongs to the whole server.
_ELSEWHERE = f"""
    SELECT d.datname, s.refobjid::regrole::text AS login, s.deptype = 'o' AS owned, s.classid::regclass::text AS what
    FROM pg_shdepend AS s LEFT JOIN pg_database AS d ON d.oid = s.dbid
    WHERE s.refclassid = 'pg_authid'::regclass AND s.refobjid IN ({_ROLES}) AND s.deptype IN ('a', 'o')
      AND d.datname IS DISTINCT FROM $1
      AND NOT (s.classid = 'pg_database'::regclass AND s.deptype = 'a' AND s.refobjid::regrole::text = $1
               AND s.objid = (SELECT oid FROM pg_database WHERE datname = $1))
"""
_IDS = f"SELECT rolname, oid FROM pg_roles WHERE oid IN ({_ROLES}) ORDER BY rolname"
_OWN = "(SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = $1)"
_WIDE_SCHEMAS = """
    SELECT nspname FROM pg_catalog.pg_namespace
    WHERE NOT starts_with(nspname, 'pg_toast') AND NOT starts_with(nspname, 'pg_temp')
      AND (has_schema_privilege($2, oid, 'CREATE')
           OR nspname NOT IN ($1, 'pg_catalog', 'information_schema') AND has_schema_privilege($2, oid, 'USAGE'))
"""
_WIDE_TABLES = f"""
    SELECT relname FROM pg_catalog.pg_class WHERE relkind IN ('r', 'v', 'm', 'p', 'f') AND relnamespace = {_OWN}
      AND (has_table_privilege($2, oid, 'INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER, MAINTAIN')
           OR has_any_column_privilege($2, oid, 'INSERT, UPDATE, REFERENCES'))
"""
# Rights in this database on anything but the schema and its tables, or of anybody but the group.
_INSIDE = f"""
    SELECT pg_describe_object(classid, objid, objsubid) AS object, deptype = 'o' AS owned
    FROM pg_catalog.pg_shdepend
    WHERE dbid = $4 AND refclassid = 'pg_authid'::regclass AND refobjid = ANY($2::oid[]) AND deptype IN ('a', 'o')
      AND NOT (deptype = 'a' AND refobjid = $3 AND (
          classid = 'pg_namespace'::regclass AND objid = {_OWN}
          OR classid = 'pg_class'::regclass AND objsubid = 0
              AND objid IN (SELECT oid FROM pg_catalog.pg_class WHERE relnamespace = {_OWN})))
"""
_TABLES = f"SELECT relname FROM pg_catalog.pg_class WHERE relnamespace = {_OWN} AND relname = ANY($2::text[])"
_UNREAD = f"""
    SELECT relname FROM pg_catalog.pg_class WHERE relkind = 'r' AND relnamespace = {_OWN}
      AND NOT (has_table_privilege($1::name, oid, 'SELECT') AND has_schema_privilege($1::name, $1, 'USAGE'))
"""


@dataclass(frozen=True, slots=True)
class Rights:
    """What was found; both empty when rights are exactly those of a workspace.

    unread   tables, logins and the group, where they lack a right
    beyond   what a login reaches and should not
    owned    whether a login possesses something of this: to take that away would destroy it, so a person must
    """

    unread: tuple[str, ...]
    beyond: tuple[str, ...]
    owned: bool


async def look(control: asyncpg.Connection, inside: asyncpg.Connection, workspace_id: str) -> Rights:
    """Looks at the rights of every login of a workspace. `inside` is connected to the workspace's database."""
    group, probe = names.schema(workspace_id), names.probe(workspace_id)
    ids = {row["rolname"]: row["oid"] for row in await control.fetch(_IDS, group)}
    unread = [row[0] for row in await control.fetch(_NOT_MEMBERS, group)]
    if group in ids and not await control.fetchval("SELECT has_database_privilege($1::name, $1, 'CONNECT')", group):
        unread.append(group)
    beyond = [f"{row['login']}:{row['other']}" for row in await control.fetch(_MEMBERSHIPS, group)]
    beyond += [f"attributes:{row[0]}" for row in await control.fetch(_ATTRIBUTES, group)]
    abroad = await control.fetch(_ELSEWHERE, group)
    beyond += [f"{row['login']}:{row['datname'] or 'server'}:{row['what']}" for row in abroad]
    if probe in ids:
        beyond += [f"database:{row[0]}" for row in await control.fetch(_OTHER_DATABASES, group, probe)]
        for right in ("CREATE", "TEMPORARY"):
            if await control.fetchval("SELECT has_database_privilege($1::name, $2, $3)", probe, group, right):
                beyond.append(f"database:{group}:{right}")
    beyond += [f"open:{name}" for name in await left_open(inside)]
    for login in ids:
        beyond += [f"schema:{row[0]}" for row in await inside.fetch(_WIDE_SCHEMAS, group, login)]
        beyond += [f"table:{row[0]}" for row in await inside.fetch(_WIDE_TABLES, group, login)]
    database = await control.fetchval("SELECT oid FROM pg_database WHERE datname = $1", group)
    within = await inside.fetch(_INSIDE, group, list(ids.values()), ids.get(group, 0), database)
    beyond += [f"right:{row['object']}" for row in within]
    if group in ids:
        unread += [row[0] for row in await inside.fetch(_UNREAD, group)]
    return Rights(
        tuple(sorted(set(unread))),
        tuple(sorted({names.plain(name) for name in beyond})),
        any(row["owned"] for row in (*abroad, *within)),
    )


async def elsewhere(control: asyncpg.Connection, workspace_id: str) -> list[str]:
    """Other databases in which a login of the workspace has a right, as far as we may enter them."""
    rows = await control.fetch(_ELSEWHERE, names.schema(workspace_id))
    found = sorted({row["datname"] for row in rows if row["datname"]})
    return [name for name in found if await control.fetchval("SELECT has_database_privilege($1, 'CONNECT')", name)]


async def known(control: asyncpg.Connection, logins: Sequence[str]) -> list[str]:
    """Those of these roles that exist."""
    rows = await control.fetch("SELECT rolname FROM pg_roles WHERE rolname = ANY($1::text[])", list(logins))
    return [row[0] for row in rows]


async def put_right_on_server(control: asyncpg.Connection, workspace_id: str) -> None:
    """Takes back memberships and attributes that a login should not have; leaves what only a superuser may change."""
    group = names.schema(workspace_id)
    for row in await control.fetch(_MEMBERSHIPS, group):
        await _try(control, f"REVOKE {row['other']} FROM {row['login']} CASCADE")
    for row in await control.fetch(_ATTRIBUTES, group):
        for attribute in ("NOSUPERUSER", "NOREPLICATION", "NOBYPASSRLS", "NOCREATEDB", "NOCREATEROLE"):
            await _try(control, f"ALTER ROLE {quoted(row['rolname'])} {attribute}")
    for row in await control.fetch(_NOT_MEMBERS, group):
        await roles.join_group(control, workspace_id, row[0])


async def take_back(
    connection: asyncpg.Connection, workspace_id: str, logins: Iterable[str], *, entered: bool = True
) -> None:
    """Takes back every right of these roles in the database of this connection, and on what the server shares.

    `entered`: the workspace's database is there, and its group keeps the way into it.
    """
    listed = ", ".join(quoted(login) for login in logins)
    if not listed:
        return
    group = quoted(names.schema(workspace_id))
    async with connection.transaction():
        await connection.execute(f"DROP OWNED BY {listed}")
        # The group's way into its own database belongs to the server, so it went with the rest.
        if entered:
            await connection.execute(f"GRANT CONNECT ON DATABASE {group} TO {group}")


async def put_right_inside(
    inside: asyncpg.Connection, workspace_id: str, logins: Sequence[str], tables: Sequence[str]
) -> None:
    """Gives the group what it should have in the workspace's database, and everybody else nothing."""
    group = names.schema(workspace_id)
    await take_back(inside, workspace_id, logins)
    for login in logins:
        for row in await inside.fetch(_WIDE_SCHEMAS, group, login):
            await _try(inside, f"REVOKE ALL ON SCHEMA {quoted(row[0])} FROM PUBLIC")
    await databases.shut(inside, workspace_id)
    await inside.execute(f"REVOKE ALL ON ALL TABLES IN SCHEMA {quoted(group)} FROM PUBLIC")
    there = await inside.fetch(_TABLES, group, list(tables))
    await roles.grant_tables(inside, workspace_id, [row[0] for row in there])


async def _try(connection: asyncpg.Connection, statement: str) -> None:
    # What we may not change stays as it is, and the next look finds it.
    with contextlib.suppress(asyncpg.InsufficientPrivilegeError, asyncpg.InvalidGrantOperationError):
        async with connection.transaction():
            await connection.execute(statement)
