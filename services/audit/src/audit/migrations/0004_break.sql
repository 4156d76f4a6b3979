-- H7, as far as a break goes: what was recorded and never signed lies in no tree, so the next epoch of a log that is
-- broken reads it again, from after the last leaf that was signed. Any other log only goes forward.
CREATE OR REPLACE FUNCTION guard.check_source() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    before audit.log%ROWTYPE;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        SELECT * INTO before FROM audit.log WHERE log_id = OLD.log_id;
        IF (NEW.topic, NEW.part) <> (OLD.topic, OLD.part)
            OR (NEW.next_offset < OLD.next_offset AND (NEW.log_id = OLD.log_id OR before.state <> 'broken'))
            OR (NEW.log_id <> OLD.log_id
                AND (SELECT epoch FROM audit.log WHERE log_id = NEW.log_id) IS DISTINCT FROM before.epoch + 1)
        THEN
            RAISE EXCEPTION 'H7: reading only goes forward' USING ERRCODE = 'insufficient_privilege';
        END IF;
    END IF;
    IF NOT EXISTS (SELECT FROM audit.log WHERE log_id = NEW.log_id AND topic = NEW.topic AND part = NEW.part) THEN
        RAISE EXCEPTION 'H7: a partition is read into a log of its own' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;
