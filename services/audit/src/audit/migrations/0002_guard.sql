-- What keeps a recorded leaf as it is, whoever asks: grants, triggers, and event triggers that refuse every definition.
--
-- Run as superuser, like every migration of this database; the roles exist before. Each refusal begins with the number
-- of its rule. Functions belong to the superuser, in a schema of his own, and look names up in pg_catalog alone.

CREATE SCHEMA guard;
REVOKE ALL ON SCHEMA guard FROM PUBLIC;

-- H1: the writer appends, and moves the four things that move; the others read; nobody else has anything.
REVOKE ALL ON ALL TABLES IN SCHEMA audit FROM PUBLIC;
GRANT USAGE ON SCHEMA audit TO audit_ingest, audit_read, audit_signer;
GRANT SELECT ON log, head, source, batch, entry, blob, tile, checkpoint TO audit_ingest, audit_read, audit_signer;
GRANT INSERT ON entry, batch, blob, tile, checkpoint TO audit_ingest;
GRANT UPDATE (width, hashes) ON tile TO audit_ingest;
GRANT UPDATE (tree_size, root) ON head TO audit_ingest;
GRANT UPDATE (next_offset) ON source TO audit_ingest;
GRANT UPDATE (note, token) ON checkpoint TO audit_ingest;

-- H2, H3: what is written once is never changed, and nothing is ever removed.
CREATE FUNCTION guard.refuse() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION '%: % of % is refused', TG_ARGV[0], TG_OP, TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;

-- H4: a tree begins empty and only grows, to as many leaves as there are, while its log is active.
CREATE FUNCTION guard.check_head() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.tree_size <> 0 OR NEW.root <> sha256('') THEN
            RAISE EXCEPTION 'H4: a tree begins empty' USING ERRCODE = 'insufficient_privilege';
        END IF;
        RETURN NEW;
    END IF;
    IF NEW.log_id <> OLD.log_id THEN
        RAISE EXCEPTION 'H4: a head stays with its log' USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF NEW.tree_size <= OLD.tree_size THEN
        RAISE EXCEPTION 'H4: a tree only grows' USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF NEW.tree_size <> (SELECT coalesce(max(leaf_index), -1) + 1 FROM audit.entry WHERE log_id = NEW.log_id) THEN
        RAISE EXCEPTION 'H4: a head counts the leaves that are there' USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF (SELECT state FROM audit.log WHERE log_id = NEW.log_id) IS DISTINCT FROM 'active' THEN
        RAISE EXCEPTION 'H4: the log is not active' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;

-- H5: leaves are appended where the head stands, without a hole.
CREATE FUNCTION guard.check_leaves() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    wrong int;
BEGIN
    SELECT added.log_id INTO wrong
    FROM (SELECT log_id, min(leaf_index) AS first, max(leaf_index) AS last, count(*) AS n FROM added GROUP BY log_id)
        AS added
    LEFT JOIN audit.head ON head.log_id = added.log_id
    LEFT JOIN audit.log ON log.log_id = added.log_id
    WHERE head.tree_size IS DISTINCT FROM first OR last - first + 1 <> n OR log.state IS DISTINCT FROM 'active'
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'H5: leaves of log % do not continue its head', wrong USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NULL;
END $$;

-- H6: a tile only becomes wider, and keeps the hashes it has.
CREATE FUNCTION guard.check_tile() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF (NEW.log_id, NEW.level, NEW.idx) <> (OLD.log_id, OLD.level, OLD.idx) OR NEW.width <= OLD.width
        OR substr(NEW.hashes, 1, length(OLD.hashes)) <> OLD.hashes
    THEN
        RAISE EXCEPTION 'H6: a tile only becomes wider' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;

-- H7: reading only goes forward, and goes over to the next epoch of the same partition alone.
CREATE FUNCTION guard.check_source() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND (
        (NEW.topic, NEW.part) <> (OLD.topic, OLD.part) OR NEW.next_offset < OLD.next_offset
        OR (NEW.log_id <> OLD.log_id AND (SELECT epoch FROM audit.log WHERE log_id = NEW.log_id)
            IS DISTINCT FROM (SELECT epoch + 1 FROM audit.log WHERE log_id = OLD.log_id))
    ) THEN
        RAISE EXCEPTION 'H7: reading only goes forward' USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF NOT EXISTS (SELECT FROM audit.log WHERE log_id = NEW.log_id AND topic = NEW.topic AND part = NEW.part) THEN
        RAISE EXCEPTION 'H7: a partition is read into a log of its own' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;

-- H8: a checkpoint only gains signature lines and once a token; a log only stops being active.
CREATE FUNCTION guard.check_checkpoint() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF (NEW.log_id, NEW.tree_size) <> (OLD.log_id, OLD.tree_size)
        OR NEW.published_at IS DISTINCT FROM OLD.published_at
        OR left(NEW.note, length(OLD.note)) <> OLD.note
        OR substr(NEW.note, length(OLD.note) + 1) !~ '^(— [^[:space:]+]+ [A-Za-z0-9+/]+=*\n)*$'
        OR (OLD.token IS NOT NULL AND NEW.token IS DISTINCT FROM OLD.token)
    THEN
        RAISE EXCEPTION 'H8: a checkpoint only gains signatures' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION guard.check_log() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF (NEW.log_id, NEW.origin, NEW.topic, NEW.part, NEW.epoch)
        <> (OLD.log_id, OLD.origin, OLD.topic, OLD.part, OLD.epoch)
        OR OLD.state <> 'active' OR NEW.state = 'active'
    THEN
        RAISE EXCEPTION 'H8: a log only stops being active' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;

-- H10, H11: no definition is changed unless the session and its current role are both the superuser's. No list of
-- commands or schemas: what a list leaves out, it lets through.
CREATE FUNCTION guard.refuse_definition() RETURNS event_trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF (SELECT count(*) FROM pg_roles WHERE rolname IN (current_user, session_user) AND NOT rolsuper) <> 0 THEN
        RAISE EXCEPTION 'H10: % is refused', TG_TAG USING ERRCODE = 'insufficient_privilege';
    END IF;
END $$;

-- H9: every trigger of a table fires whatever the session's replication role is.
CREATE FUNCTION guard.always(place regclass) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    name text;
BEGIN
    FOR name IN SELECT tgname FROM pg_trigger WHERE tgrelid = place AND NOT tgisinternal AND tgenabled <> 'A' LOOP
        EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', place, name);
    END LOOP;
END $$;

-- What a partition of `entry` does not inherit: its owner, and the triggers of whole statements.
CREATE FUNCTION guard.dress(place regclass) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format('ALTER TABLE %s OWNER TO audit_owner', place);
    EXECUTE format(
        'CREATE TRIGGER h3_truncate BEFORE TRUNCATE ON %s FOR EACH STATEMENT EXECUTE FUNCTION guard.refuse(%L)',
        place, 'H3'
    );
    EXECUTE format(
        'CREATE TRIGGER h5_leaves AFTER INSERT ON %s REFERENCING NEW TABLE AS added '
        'FOR EACH STATEMENT EXECUTE FUNCTION guard.check_leaves()',
        place
    );
    PERFORM guard.always(place);
END $$;

CREATE TRIGGER h4_head BEFORE INSERT OR UPDATE ON head FOR EACH ROW EXECUTE FUNCTION guard.check_head();
CREATE TRIGGER h6_tile BEFORE UPDATE ON tile FOR EACH ROW EXECUTE FUNCTION guard.check_tile();
CREATE TRIGGER h7_source BEFORE INSERT OR UPDATE ON source FOR EACH ROW EXECUTE FUNCTION guard.check_source();
CREATE TRIGGER h8_checkpoint BEFORE UPDATE ON checkpoint FOR EACH ROW EXECUTE FUNCTION guard.check_checkpoint();
CREATE TRIGGER h8_log BEFORE UPDATE ON log FOR EACH ROW EXECUTE FUNCTION guard.check_log();
DO $$
DECLARE
    place text;
BEGIN
    FOREACH place IN ARRAY ARRAY['entry', 'batch', 'blob'] LOOP
        EXECUTE format(
            'CREATE TRIGGER h2_update BEFORE UPDATE ON audit.%I FOR EACH ROW EXECUTE FUNCTION guard.refuse(%L)', place, 'H2'
        );
    END LOOP;
    FOREACH place IN ARRAY ARRAY['log', 'head', 'source', 'batch', 'entry', 'blob', 'tile', 'checkpoint'] LOOP
        EXECUTE format(
            'CREATE TRIGGER h2_delete BEFORE DELETE ON audit.%I FOR EACH ROW EXECUTE FUNCTION guard.refuse(%L)', place, 'H2'
        );
        IF place <> 'entry' THEN
            EXECUTE format(
                'CREATE TRIGGER h3_truncate BEFORE TRUNCATE ON audit.%I FOR EACH STATEMENT '
                'EXECUTE FUNCTION guard.refuse(%L)', place, 'H3'
            );
            PERFORM guard.always(format('audit.%I', place)::regclass);
            EXECUTE format('ALTER TABLE audit.%I OWNER TO audit_owner', place);
        END IF;
    END LOOP;
    PERFORM guard.dress('audit.entry');
END $$;

ALTER SCHEMA audit OWNER TO audit_owner;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA guard FROM PUBLIC;

CREATE EVENT TRIGGER h10_definition ON ddl_command_start EXECUTE FUNCTION guard.refuse_definition();
CREATE EVENT TRIGGER h10_rewrite ON table_rewrite EXECUTE FUNCTION guard.refuse_definition();
CREATE EVENT TRIGGER h10_drop ON sql_drop EXECUTE FUNCTION guard.refuse_definition();
ALTER EVENT TRIGGER h10_definition ENABLE ALWAYS;
ALTER EVENT TRIGGER h10_rewrite ENABLE ALWAYS;
ALTER EVENT TRIGGER h10_drop ENABLE ALWAYS;
