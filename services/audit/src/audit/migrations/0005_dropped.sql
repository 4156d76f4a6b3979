-- An epoch whose retention is over is dropped as a whole: its records go, its head, tiles, batches and checkpoints stay.

ALTER TABLE log DROP CONSTRAINT log_state_check;
ALTER TABLE log ADD CONSTRAINT log_state_check CHECK (state IN ('active', 'frozen', 'broken', 'dropped'));

-- H8: a log only stops being active; one that has stopped is dropped when its records are gone, which only a superuser's
-- session can bring about (H10).
CREATE OR REPLACE FUNCTION guard.check_log() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF (NEW.log_id, NEW.origin, NEW.topic, NEW.part, NEW.epoch)
        <> (OLD.log_id, OLD.origin, OLD.topic, OLD.part, OLD.epoch)
        OR NOT (
            (OLD.state = 'active' AND NEW.state IN ('frozen', 'broken'))
            OR (OLD.state IN ('frozen', 'broken') AND NEW.state = 'dropped'
                AND to_regclass(format('audit.entry_%s', NEW.log_id)) IS NULL)
        )
    THEN
        RAISE EXCEPTION 'H8: a log only stops being active' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;

-- Removes the records of a log that is over, with the large ones that no other log claims. For a superuser's session.
CREATE FUNCTION guard.drop_records(wanted int) RETURNS void LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    place text := format('audit.entry_%s', wanted);
    claims boolean;
BEGIN
    EXECUTE format('SELECT EXISTS (SELECT FROM %s WHERE substr(leaf, 5, 1) = ''\x02'')', place) INTO claims;
    IF claims THEN
        ALTER TABLE audit.blob DISABLE TRIGGER h2_delete;
        EXECUTE format(
            $sql$
            DELETE FROM audit.blob
            WHERE digest IN (SELECT substr(leaf, length(leaf) - 31) FROM %s WHERE substr(leaf, 5, 1) = '\x02')
                AND NOT EXISTS (
                    SELECT FROM audit.entry
                    WHERE log_id <> $1 AND substr(leaf, 5, 1) = '\x02' AND substr(leaf, length(leaf) - 31) = digest)
            $sql$, place) USING wanted;
        ALTER TABLE audit.blob ENABLE ALWAYS TRIGGER h2_delete;
    END IF;
    EXECUTE format('DROP TABLE %s', place);
    UPDATE audit.log SET state = 'dropped' WHERE log_id = wanted;
END $$;
REVOKE ALL ON FUNCTION guard.drop_records FROM PUBLIC;
