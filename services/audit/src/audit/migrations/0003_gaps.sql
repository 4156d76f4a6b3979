-- What should be in the trail and is not, as long as it is not: each alarm once, also after a restart.
CREATE TABLE gap (
    kind          text   NOT NULL,
    source        text   NOT NULL DEFAULT '',
    subject       text   NOT NULL DEFAULT '',
    topic         text   NOT NULL DEFAULT '',
    part          int    NOT NULL DEFAULT -1,
    first_missing bigint NOT NULL,
    last_missing  bigint NOT NULL,
    found_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (kind, source, subject, topic, part, first_missing, last_missing)
);
ALTER TABLE gap OWNER TO audit_owner;
GRANT SELECT ON gap TO audit_ingest, audit_read, audit_signer;
GRANT INSERT, DELETE ON gap TO audit_ingest;
