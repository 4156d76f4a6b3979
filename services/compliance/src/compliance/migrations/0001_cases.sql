-- A case is what was said about one request. Its assessment can always be computed again from the items and the reference data.
CREATE TABLE cases (
    request_id     uuid PRIMARY KEY,
    dossier        text,                 -- the JSON as accepted; NULL while only other things have been said about the request
    environment_id text,
    assessment     text,                 -- the last assessment as JSON (domain.py), NULL before the first
    assessed_on    date
);
CREATE INDEX cases_environment ON cases (environment_id) WHERE environment_id IS NOT NULL;

CREATE INDEX cases_never_assessed ON cases (request_id) WHERE dossier IS NOT NULL AND assessment IS NULL;

CREATE TABLE items (
    position   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    request_id uuid NOT NULL REFERENCES cases,
    event_id   uuid NOT NULL UNIQUE,
    said_at    timestamptz NOT NULL,
    type       text NOT NULL,
    data       text NOT NULL
);
CREATE INDEX items_request ON items (request_id, said_at, position);

-- Reference data as their holders and hosts describe them: the newest description of a dataset, and all that
-- was said of an environment and its evidence.
CREATE TABLE datasets (
    dataset_id   text PRIMARY KEY,
    description  text NOT NULL,
    described_at timestamptz NOT NULL,
    withdrawn_at timestamptz
);

CREATE TABLE environment_events (
    position       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_id       uuid NOT NULL UNIQUE,
    environment_id text NOT NULL,
    said_at        timestamptz NOT NULL,
    type           text NOT NULL,
    data           text NOT NULL
);
CREATE INDEX environment_events_environment ON environment_events (environment_id, said_at, position);

CREATE TABLE optouts (
    position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_id uuid NOT NULL UNIQUE,
    said_at  timestamptz NOT NULL,
    type     text NOT NULL,
    data     text NOT NULL
);
CREATE INDEX optouts_said_at ON optouts (said_at, position);
