"""The statements that must fail on a trail, and who would run them; what a superuser does is in test_signing.py."""

from collections.abc import Iterator

TABLES = ("log", "head", "source", "batch", "entry", "blob", "tile", "checkpoint")
PLACES = (*TABLES, "entry_1")
CHANGED = "overlay(leaf PLACING '\\x21' FROM length(leaf))"
COLUMNS = "(log_id, leaf_index, kafka_offset, leaf)"
TILE = "log_id = 1 AND level = 0 AND idx = 0"
ROOT = "sha256('another')"


def everybody() -> Iterator[str]:
    """What the writer, a reader, the signer and the owner each try."""
    yield from _leaves()
    yield from _inserts()
    for place in PLACES:
        yield f"TRUNCATE audit.{place}"
        yield f"TRUNCATE audit.{place} CASCADE"
        yield f"DROP TABLE audit.{place}"
        yield f"DROP TABLE audit.{place} CASCADE"
        yield f"ALTER TABLE audit.{place} DISABLE TRIGGER ALL"
        yield f"ALTER TABLE audit.{place} DISABLE TRIGGER USER"
    yield from _heads()
    yield from _tiles()
    yield from _others()
    yield from _server()
    yield from _definitions()


def _leaves() -> Iterator[str]:
    yield f"UPDATE audit.entry SET leaf = {CHANGED} WHERE log_id = 1 AND leaf_index = 2"
    yield "UPDATE audit.entry SET leaf = leaf WHERE log_id = 1 AND leaf_index = 2"
    yield "UPDATE audit.entry SET subject = 'another' WHERE log_id = 1 AND leaf_index = 2"
    yield "UPDATE audit.entry SET event_time = now() WHERE log_id = 1"
    yield f"UPDATE audit.entry_1 SET leaf = {CHANGED} WHERE leaf_index = 2"
    yield "UPDATE audit.entry SET leaf_index = 99 WHERE log_id = 1 AND leaf_index = 2"
    yield "UPDATE audit.entry SET log_id = 2 WHERE log_id = 1 AND leaf_index = 2"
    yield "DELETE FROM audit.entry WHERE log_id = 1 AND leaf_index = 2"
    yield "DELETE FROM audit.entry_1 WHERE leaf_index = 2"
    yield "DELETE FROM audit.entry WHERE (log_id, leaf_index) IN (SELECT log_id, tree_size - 1 FROM audit.head)"
    yield "WITH gone AS (DELETE FROM audit.entry WHERE log_id = 1 RETURNING 1) SELECT count(*) FROM gone"
    yield (
        f"INSERT INTO audit.entry {COLUMNS} VALUES (1, 2, 9, 'x') "
        "ON CONFLICT (log_id, leaf_index) DO UPDATE SET leaf = excluded.leaf"
    )
    merge = (
        "MERGE INTO audit.entry USING (VALUES (1, 2)) AS v (l, i) ON log_id = l AND leaf_index = i WHEN MATCHED THEN"
    )
    yield f"{merge} UPDATE SET leaf = {CHANGED}"
    yield f"{merge} DELETE"


def _inserts() -> Iterator[str]:
    into = f"INSERT INTO audit.entry {COLUMNS}"
    size = "SELECT tree_size FROM audit.head WHERE log_id = 1"
    yield f"{into} VALUES (1, ({size}) + 5, 900, 'x')"
    yield f"{into} VALUES (1, ({size}), 900, 'x'), (1, ({size}) + 2, 901, 'x')"
    yield f"{into} VALUES (1, -1, 900, 'x')"
    yield f"INSERT INTO audit.entry_1 {COLUMNS} VALUES (1, ({size}) + 3, 900, 'x')"
    yield (
        "INSERT INTO audit.entry (log_id, leaf_index, kafka_offset, leaf, leaf_hash) "
        f"VALUES (1, ({size}), 900, 'x', sha256('y'))"
    )
    yield f"{into} VALUES (1, ({size}), 900, convert_to(repeat('x', 65536), 'UTF8'))"
    yield f"INSERT INTO audit.entry (log_id, leaf_index, leaf) VALUES (1, ({size}), 'x')"
    yield f"{into} VALUES (77, 0, 0, 'x')"


def _heads() -> Iterator[str]:
    yield "UPDATE audit.head SET tree_size = 1, root = (SELECT hashes FROM audit.tile WHERE false)"
    yield f"UPDATE audit.head SET tree_size = 2, root = {ROOT} WHERE log_id = 1"
    yield f"UPDATE audit.head SET root = {ROOT} WHERE log_id = 1"
    yield f"UPDATE audit.head SET tree_size = tree_size + 7, root = {ROOT} WHERE log_id = 1"
    yield "DELETE FROM audit.head WHERE log_id = 1"
    yield "UPDATE audit.head SET log_id = 77 WHERE log_id = 1"
    yield f"INSERT INTO audit.head (log_id, tree_size, root) VALUES (2, 5, {ROOT})"
    yield f"INSERT INTO audit.head VALUES (1, 9, {ROOT}) ON CONFLICT (log_id) DO UPDATE SET root = excluded.root"
    yield "UPDATE audit.source SET next_offset = 0 WHERE log_id = 1"
    yield "DELETE FROM audit.source"
    yield "UPDATE audit.source SET topic = 'renamed'"
    yield "UPDATE audit.source SET log_id = 2 WHERE log_id = 1"


def _tiles() -> Iterator[str]:
    yield f"UPDATE audit.tile SET hashes = set_byte(hashes, 0, get_byte(hashes, 0) # 255) WHERE {TILE}"
    yield (
        "UPDATE audit.tile SET width = width + 1, "
        f"hashes = set_byte(hashes, 1, get_byte(hashes, 1) # 255) || sha256('x') WHERE {TILE}"
    )
    yield f"UPDATE audit.tile SET width = 1, hashes = substr(hashes, 1, 32) WHERE {TILE}"
    yield f"DELETE FROM audit.tile WHERE {TILE}"
    yield f"UPDATE audit.tile SET idx = 5 WHERE {TILE}"
    yield f"UPDATE audit.tile SET log_id = 2, idx = 5 WHERE {TILE}"


def _others() -> Iterator[str]:
    yield "UPDATE audit.batch SET n = n + 1"
    yield "UPDATE audit.batch SET offset_to = offset_to + 1"
    yield "DELETE FROM audit.batch"
    yield "UPDATE audit.checkpoint SET note = 'x' || note"
    yield "UPDATE audit.checkpoint SET note = ''"
    yield "UPDATE audit.checkpoint SET note = note || 'no signature'"
    yield "UPDATE audit.checkpoint SET tree_size = tree_size + 1"
    yield "DELETE FROM audit.checkpoint"
    yield "UPDATE audit.blob SET data = data || 'x', digest = sha256(data || 'x')"
    yield "DELETE FROM audit.blob"
    yield "INSERT INTO audit.blob VALUES (sha256('x'), 'y')"
    yield "UPDATE audit.log SET origin = 'renamed' WHERE log_id = 1"
    yield "DELETE FROM audit.log WHERE log_id = 1"
    yield "UPDATE audit.log SET state = 'active' WHERE log_id = 2"
    yield "UPDATE audit.log SET state = 'dropped' WHERE log_id = 2"
    yield "SELECT guard.drop_records(2)"
    yield "SELECT guard.always('audit.entry'::regclass)"


def _server() -> Iterator[str]:
    yield "SET session_replication_role = replica"
    yield "SELECT set_config('session_replication_role', 'replica', false)"
    yield "ALTER ROLE {role} SET session_replication_role = replica"
    yield "SET event_triggers = off"
    yield "SET allow_system_table_mods = on"
    yield "UPDATE pg_catalog.pg_trigger SET tgenabled = 'D'"
    yield "DELETE FROM pg_catalog.pg_event_trigger"
    yield "SET ROLE postgres"
    yield "SET ROLE {other}"
    yield "ALTER ROLE {role} SUPERUSER"
    yield "GRANT postgres TO {role}"
    yield "GRANT {other} TO {role}"
    yield "COPY audit.log TO PROGRAM 'cat'"
    yield "COPY audit.log TO '/tmp/guichet-attack'"
    yield "SELECT pg_read_file('postgresql.conf')"
    yield "ALTER DATABASE {database} RENAME TO renamed"
    yield "ALTER DATABASE {database} SET session_replication_role = replica"
    yield "DROP DATABASE {database}"
    yield "ALTER SYSTEM SET event_triggers = off"


def _definitions() -> Iterator[str]:
    yield "CREATE SCHEMA another"
    yield "CREATE TABLE audit.another (a int)"
    yield "CREATE TABLE public.another (a int)"
    yield "CREATE TEMPORARY TABLE another (a int)"
    yield "CREATE FUNCTION audit.another() RETURNS int LANGUAGE sql RETURN 1"
    yield "CREATE EXTENSION pgcrypto"
    yield "ALTER EVENT TRIGGER h10_definition DISABLE"
    yield "DROP EVENT TRIGGER h10_definition"
    yield (
        "CREATE OR REPLACE FUNCTION guard.refuse_definition() RETURNS event_trigger LANGUAGE plpgsql AS $$BEGIN END$$"
    )
    yield "CREATE EVENT TRIGGER another ON ddl_command_start EXECUTE FUNCTION guard.refuse_definition()"
    yield "GRANT ALL ON audit.entry TO {role}"
    yield "GRANT ALL ON audit.entry TO PUBLIC"
    yield "GRANT ALL ON SCHEMA audit TO PUBLIC"
    yield "ALTER DEFAULT PRIVILEGES IN SCHEMA audit GRANT ALL ON TABLES TO PUBLIC"


def readers() -> Iterator[str]:
    """What a reader and the signer try beside."""
    yield f"INSERT INTO audit.entry {COLUMNS} SELECT 1, tree_size, 900, 'x' FROM audit.head WHERE log_id = 1"
    yield "INSERT INTO audit.batch SELECT 1, 999, 1, 0, 0, 0, 0"
    yield "INSERT INTO audit.blob VALUES (sha256('x'), 'x')"
    yield "INSERT INTO audit.tile VALUES (1, 0, 9, 1, sha256('x'))"
    yield "INSERT INTO audit.checkpoint VALUES (1, 2, 'x')"
    yield "INSERT INTO audit.log VALUES (9, 'o', 't', 0, 1)"
    yield "INSERT INTO audit.head VALUES (2, 0, sha256(''))"
    yield "INSERT INTO audit.source VALUES ('t', 0, 1, 0)"
    for table in TABLES:
        yield f"LOCK TABLE audit.{table} IN ACCESS EXCLUSIVE MODE"


GUARDS = ("refuse", "check_head", "check_leaves", "check_tile", "check_source", "check_checkpoint", "check_log")


def owner() -> Iterator[str]:
    """What the owner of the tables tries beside."""
    yield "ALTER TABLE audit.entry DISABLE TRIGGER h2_update"
    yield "ALTER TABLE audit.entry ENABLE REPLICA TRIGGER h2_update"
    yield "DROP TRIGGER h2_update ON audit.entry"
    yield "ALTER TRIGGER h2_update ON audit.entry RENAME TO z"
    yield (
        "CREATE TRIGGER a_first BEFORE UPDATE ON audit.entry FOR EACH ROW "
        "EXECUTE FUNCTION suppress_redundant_updates_trigger()"
    )
    for name in (*GUARDS, "refuse_definition"):
        kind = "event_trigger" if name == "refuse_definition" else "trigger"
        yield f"CREATE OR REPLACE FUNCTION guard.{name}() RETURNS {kind} LANGUAGE plpgsql AS $$BEGIN END$$"
        yield f"DROP FUNCTION guard.{name}() CASCADE"
        yield f"ALTER FUNCTION guard.{name}() SET search_path = public"
        yield f"ALTER FUNCTION guard.{name}() OWNER TO {{role}}"
    for change in (
        "ALTER COLUMN leaf TYPE bytea USING 'x'::bytea",
        "ALTER COLUMN leaf_hash SET EXPRESSION AS (sha256('x'))",
        "ALTER COLUMN leaf_hash DROP EXPRESSION",
        "DROP COLUMN subject",
        "ADD COLUMN another int",
        "RENAME COLUMN subject TO topic",
        "DROP CONSTRAINT entry_pkey",
        "DROP CONSTRAINT entry_leaf_check",
        "DETACH PARTITION audit.entry_1",
        "ENABLE ROW LEVEL SECURITY",
        "FORCE ROW LEVEL SECURITY",
        "SET UNLOGGED",
        "OWNER TO {other}",
        "RENAME TO renamed",
        "SET SCHEMA public",
    ):
        yield f"ALTER TABLE audit.entry {change}"
    yield "DROP INDEX audit.entry_by_subject"
    yield "ALTER TABLE audit.entry_1 RENAME TO entry_renamed"
    yield "ALTER TABLE audit.entry_1 SET SCHEMA public"
    yield "ALTER TABLE audit.entry_1 SET TABLESPACE pg_default"
    yield "CREATE TABLE audit.entry_99 PARTITION OF audit.entry FOR VALUES IN (99)"
    yield "ALTER TABLE audit.entry ATTACH PARTITION audit.blob FOR VALUES IN (98)"
    for table in ("head", "batch"):
        yield f"CREATE TABLE audit.child () INHERITS (audit.{table})"
        yield f"CREATE TEMPORARY TABLE child () INHERITS (audit.{table})"
    yield "ALTER TABLE audit.batch SET UNLOGGED"
    yield "CREATE VIEW audit.another AS SELECT * FROM audit.entry"
    yield (
        "DO $$BEGIN ALTER TABLE audit.batch RENAME TO former; "
        "CREATE VIEW audit.batch AS SELECT * FROM audit.former; END$$"
    )
    yield "CREATE RULE another AS ON UPDATE TO audit.head DO INSTEAD NOTHING"
    yield "CREATE RULE another AS ON INSERT TO audit.entry DO INSTEAD NOTHING"
    yield "CREATE POLICY another ON audit.entry USING (false)"
    yield "DROP SCHEMA audit CASCADE"
    yield "ALTER SCHEMA audit RENAME TO renamed"
    yield "DROP OWNED BY {role} CASCADE"
    yield "REASSIGN OWNED BY {role} TO {other}"
    yield "REVOKE INSERT ON audit.entry FROM audit_ingest"
    yield "CREATE PUBLICATION another FOR TABLE audit.entry"
    yield "CREATE SUBSCRIPTION another CONNECTION 'host=127.0.0.1' PUBLICATION another WITH (connect = false)"
    yield "CREATE OPERATOR audit.= (LEFTARG = bytea, RIGHTARG = bytea, FUNCTION = byteaeq)"
    yield "CREATE CAST (bytea AS int) WITH INOUT"
    yield "COMMENT ON TABLE audit.entry IS 'x'"
    yield "CREATE STATISTICS audit.another ON subject, source FROM audit.entry"
    yield "SECURITY LABEL ON TABLE audit.entry IS 'x'"
    yield "CREATE TABLE audit.another AS SELECT * FROM audit.entry"
    yield "SELECT * INTO audit.another FROM audit.entry"
    yield "CREATE MATERIALIZED VIEW audit.another AS SELECT * FROM audit.entry"
    yield "DO $$BEGIN EXECUTE 'DROP TRIGGER h2_update ON audit.entry'; END$$"
    yield "DO $$BEGIN DELETE FROM audit.entry; END$$"
    yield "ALTER TABLE audit.head DISABLE TRIGGER h4_head"
