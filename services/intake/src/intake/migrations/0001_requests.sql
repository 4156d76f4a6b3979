-- One row for each request that anything was ever said about; its lock makes everything about one request take turns.
CREATE TABLE requests (
    request_id   uuid PRIMARY KEY,
    permit_id    uuid NOT NULL UNIQUE,
    workspace_id uuid NOT NULL UNIQUE
);

-- What the window noted about a request, in order. What it knows of the request is the fold of these; none is ever changed.
CREATE TABLE steps (
    request_id uuid   NOT NULL REFERENCES requests,
    position   int    NOT NULL CHECK (position > 0),
    body       json   NOT NULL,
    PRIMARY KEY (request_id, position)
);

-- Events about a request that has not been submitted yet, in the order they came, as structured CloudEvents.
CREATE TABLE waiting (
    id         bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    request_id uuid        NOT NULL REFERENCES requests,
    portal     text        NOT NULL,
    event_id   uuid        NOT NULL,
    event      bytea       NOT NULL,
    heard_at   timestamptz NOT NULL,
    UNIQUE (request_id, portal, event_id)
);

-- What a dossier may name: the versions of datasets that their holders described, and the environments registered.
CREATE TABLE dataset_versions (
    dataset_id text NOT NULL,
    version    text NOT NULL,
    PRIMARY KEY (dataset_id, version)
);
CREATE TABLE environments (
    environment_id text PRIMARY KEY
);

-- How far each request has come, as compliance and provisioning said it: what its portal may see.
CREATE TABLE progress (
    request_id uuid PRIMARY KEY,
    body       json NOT NULL
);
