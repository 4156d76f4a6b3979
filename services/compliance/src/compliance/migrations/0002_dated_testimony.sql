-- Every description of a dataset, dated, so that a case stays judged by the one it was filed under.
CREATE TABLE descriptions (
    position     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    dataset_id   text NOT NULL,
    description  text NOT NULL,
    described_at timestamptz NOT NULL,
    withdrawn_at timestamptz,
    UNIQUE (dataset_id, described_at)
);
INSERT INTO descriptions (dataset_id, description, described_at, withdrawn_at)
SELECT dataset_id, description, described_at, withdrawn_at FROM datasets ORDER BY described_at;
DROP TABLE datasets;

-- What each decision rests on: enough to make it again, to the same bytes, whatever was said later about earlier days.
CREATE TABLE decisions (
    position     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    request_id   uuid NOT NULL REFERENCES cases,
    as_of        date NOT NULL,
    facts        text[] NOT NULL,    -- the types of the facts that rest on it
    rule_pack    text NOT NULL,
    input_hash   text NOT NULL,
    output_hash  text NOT NULL,      -- SHA-256 of the assessment as `guichet assess` prints it
    said         integer NOT NULL,   -- how many things had been said about the request
    descriptions bigint[] NOT NULL,  -- the descriptions of datasets it was judged by
    hosts        bigint[] NOT NULL   -- what hosts had said of the environments it names
);
CREATE INDEX decisions_request ON decisions (request_id, position);
