-- Everything the chassis keeps, in a schema of its own.
CREATE SCHEMA IF NOT EXISTS chassis;

-- How far each consumer has read. This is the truth; the offset in Kafka is advice. The row is also the fence: it is
-- updated first in every transaction, so that two owners of one partition take turns.
CREATE TABLE chassis.offsets (
    consumer    text   NOT NULL,
    topic       text   NOT NULL,
    part        int    NOT NULL,
    next_offset bigint NOT NULL CHECK (next_offset >= 0),
    PRIMARY KEY (consumer, topic, part)
);

-- Events already acted upon. An id is unique within its source only (CloudEvents 1.0, 3.1). Ids are UUIDv7, so that
-- a partition is a month and retention is dropping one; ids of other shapes stay in the last partition.
CREATE TABLE chassis.inbox (
    event_id uuid NOT NULL,
    source   text NOT NULL,
    PRIMARY KEY (event_id, source)
) PARTITION BY RANGE (event_id);
CREATE TABLE chassis.inbox_others PARTITION OF chassis.inbox DEFAULT;

-- Everything ever said, kept for ever, with all that is needed to publish it again.
CREATE TABLE chassis.facts (
    event_id       uuid        PRIMARY KEY,
    topic          text        NOT NULL,
    key            text        NOT NULL,
    type           text        NOT NULL,
    source         text        NOT NULL,
    subject        text        NOT NULL,
    sequence       bigint      NOT NULL CHECK (sequence > 0),
    time           timestamptz NOT NULL,
    data_schema    text,
    correlation_id text,
    causation_id   text,
    trace_parent   text,
    body           bytea       NOT NULL
);
ALTER TABLE chassis.facts ALTER COLUMN body SET STORAGE EXTERNAL;

-- Records published byte for byte on behalf of somebody else, and redriven ones. Kept as facts are.
CREATE TABLE chassis.raw_records (
    event_id      uuid    PRIMARY KEY,
    topic         text    NOT NULL,
    part          int,                  -- null: by the key
    key           bytea,
    value         bytea,
    header_names  bytea[] NOT NULL,
    header_values bytea[] NOT NULL
);

-- What waits to be published: pointers to facts and raw records, in order within the row, rows in order within a
-- shard (a function of the key alone). Never remember an id from here: identity order is not commit order.
CREATE TABLE chassis.outbox (
    id         bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    shard      smallint    NOT NULL CHECK (shard BETWEEN 0 AND 15),
    events     uuid[]      NOT NULL,
    size_bytes bigint      NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000);
CREATE INDEX outbox_by_shard ON chassis.outbox (shard, id);

-- The last sequence number given within (source, subject): gapless, because a rollback takes the number back.
CREATE TABLE chassis.sequences (
    source  text   NOT NULL,
    subject text   NOT NULL,
    last    bigint NOT NULL,
    PRIMARY KEY (subject, source)
);

-- One row: the epoch of the newest producer.
CREATE TABLE chassis.producer (
    "only" boolean PRIMARY KEY DEFAULT true CHECK ("only"),
    epoch bigint  NOT NULL
);
INSERT INTO chassis.producer (epoch) VALUES (0);

-- Records nobody could act upon, as bytes. `code` and `fingerprint` name the error; its text is never kept.
CREATE TABLE chassis.dead_letters (
    letter_id     uuid        PRIMARY KEY,
    consumer      text        NOT NULL,
    topic         text        NOT NULL,
    part          int         NOT NULL,
    record_offset bigint      NOT NULL,
    key           bytea,
    value         bytea,
    header_names  bytea[]     NOT NULL,
    header_values bytea[]     NOT NULL,
    event_id      text,
    event_type    text,
    kind          text        NOT NULL CHECK (kind IN ('unreadable', 'bug')),
    code          text        NOT NULL,
    detail        text        NOT NULL,
    fingerprint   text        NOT NULL,
    attempts      int         NOT NULL,
    release       text        NOT NULL,
    trace_parent  text,
    blocks_key    boolean     NOT NULL,
    state         text        NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'redriven', 'resolved', 'discarded')),
    recorded_at   timestamptz NOT NULL,
    changed_at    timestamptz NOT NULL
);
-- A record is set aside once. The digest is there because a log that lost its tail gives an offset out again.
CREATE UNIQUE INDEX dead_letters_by_place
    ON chassis.dead_letters (consumer, topic, part, record_offset, md5(coalesce(value, '')));
CREATE INDEX dead_letters_by_state ON chassis.dead_letters (state, recorded_at);

-- Keys whose later records wait behind a dead letter; draining once the letter is settled, until the last one is done.
CREATE TABLE chassis.blocked_keys (
    consumer   text        NOT NULL,
    topic      text        NOT NULL,
    key        bytea       NOT NULL,
    letter_id  uuid        NOT NULL REFERENCES chassis.dead_letters,
    draining   boolean     NOT NULL DEFAULT false,
    blocked_at timestamptz NOT NULL,
    PRIMARY KEY (consumer, topic, key)
);

-- The records that wait, in the order they came.
CREATE TABLE chassis.parked (
    id            bigint  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    consumer      text    NOT NULL,
    topic         text    NOT NULL,
    part          int     NOT NULL,
    record_offset bigint  NOT NULL,
    key           bytea   NOT NULL,
    value         bytea,
    header_names  bytea[] NOT NULL,
    header_values bytea[] NOT NULL
);
CREATE INDEX parked_by_key ON chassis.parked (consumer, topic, key, id);

-- One timer for each subject and kind; firing deletes the row in the transaction that acts upon it.
CREATE TABLE chassis.timers (
    subject text        NOT NULL,
    kind    text        NOT NULL,
    due_at  timestamptz NOT NULL,
    key     text        NOT NULL,
    PRIMARY KEY (subject, kind)
);
CREATE INDEX timers_by_due ON chassis.timers (due_at);

-- One row, in the sandbox only: the instant it was at the wall-clock time.
CREATE TABLE chassis.clock (
    "only"  boolean     PRIMARY KEY DEFAULT true CHECK ("only"),
    instant timestamptz NOT NULL,
    wall    timestamptz NOT NULL
);
