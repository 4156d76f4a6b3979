-- What every topic said, byte for byte, as one Merkle tree for each partition and epoch.

-- A log is one tree: (topic, partition, epoch), named by its origin.
CREATE TABLE log (
    log_id int  PRIMARY KEY,
    origin text COLLATE "C" NOT NULL UNIQUE,
    topic  text COLLATE "C" NOT NULL,
    part   int  NOT NULL CHECK (part >= 0),
    epoch  int  NOT NULL CHECK (epoch >= 1),
    state  text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'frozen', 'broken')),
    UNIQUE (topic, part, epoch)
);

-- How large each tree is and what it adds up to. Starts at size 0 with the root of nothing.
CREATE TABLE head (
    log_id    int    PRIMARY KEY REFERENCES log,
    tree_size bigint NOT NULL CHECK (tree_size >= 0),
    root      bytea  NOT NULL CHECK (length(root) = 32)
);

-- Where to read on, and into which log: the fence between two writers, and the only truth about the position.
CREATE TABLE source (
    topic       text   COLLATE "C" NOT NULL,
    part        int    NOT NULL,
    log_id      int    NOT NULL REFERENCES log,
    next_offset bigint NOT NULL CHECK (next_offset >= 0),
    PRIMARY KEY (topic, part)
);

-- What was read together: offsets [offset_from, offset_to) became n leaves from first_index on.
CREATE TABLE batch (
    log_id         int    NOT NULL REFERENCES log,
    first_index    bigint NOT NULL CHECK (first_index >= 0),
    n              int    NOT NULL CHECK (n >= 1),
    offset_from    bigint NOT NULL,
    offset_to      bigint NOT NULL CHECK (offset_to >= offset_from),
    high_watermark bigint NOT NULL,
    log_start      bigint NOT NULL,
    PRIMARY KEY (log_id, first_index)
);

-- The leaves. The columns beside `leaf` are what it says of itself, for queries: null when it does not, or in more than
-- 255 characters; only the bytes are evidence. No foreign key: a check for each row would cost more than the row.
CREATE TABLE entry (
    log_id       int    NOT NULL,
    leaf_index   bigint NOT NULL CHECK (leaf_index >= 0),
    kafka_offset bigint NOT NULL CHECK (kafka_offset >= -1),  -- -1: leaf 0, which is no record
    event_id     text   COLLATE "C",
    event_type   text   COLLATE "C",
    source       text   COLLATE "C",
    subject      text   COLLATE "C",
    sequence     bigint,
    event_time   timestamptz,
    leaf         bytea  NOT NULL CHECK (length(leaf) BETWEEN 1 AND 65535),
    leaf_hash    bytea  GENERATED ALWAYS AS (sha256('\x00'::bytea || leaf)) STORED,
    PRIMARY KEY (log_id, leaf_index)
) PARTITION BY LIST (log_id);
CREATE INDEX entry_by_subject ON entry (subject, source, sequence);
CREATE INDEX entry_by_event ON entry (event_id);
CREATE INDEX entry_by_time ON entry USING brin (event_time);

-- The encodings of records too large to be a leaf, each under its SHA-256.
CREATE TABLE blob (
    digest bytea PRIMARY KEY CHECK (digest = sha256(data)),
    data   bytea NOT NULL
);

CREATE TABLE tile (
    log_id int    NOT NULL,
    level  int    NOT NULL CHECK (level >= 0),
    idx    bigint NOT NULL CHECK (idx >= 0),
    width  int    NOT NULL CHECK (width BETWEEN 1 AND 256),
    hashes bytea  NOT NULL CHECK (length(hashes) = 32 * width),
    PRIMARY KEY (log_id, level, idx)
);

CREATE TABLE checkpoint (
    log_id       int    NOT NULL REFERENCES log,
    tree_size    bigint NOT NULL CHECK (tree_size >= 1),
    note         text   NOT NULL,
    token        bytea,
    published_at timestamptz,
    PRIMARY KEY (log_id, tree_size)
);

-- Leaves are looked at as bytes, never searched: kept whole and uncompressed.
ALTER TABLE entry ALTER COLUMN leaf SET STORAGE EXTERNAL;
ALTER TABLE blob ALTER COLUMN data SET STORAGE EXTERNAL;
ALTER TABLE tile ALTER COLUMN hashes SET STORAGE EXTERNAL;
