-- What happened to each workspace; its state is the fold of its events. The row is what a transaction locks.
CREATE TABLE workspaces (
    workspace_id   uuid PRIMARY KEY,
    request_id     uuid NOT NULL UNIQUE,
    environment_id text,                       -- NULL while the permit has not named one
    state          text NOT NULL,              -- for lists; the events are the truth
    cause          jsonb,                      -- the event that last changed what is wished
    changed_at     timestamptz NOT NULL
);
CREATE INDEX workspaces_environment ON workspaces (environment_id) WHERE environment_id IS NOT NULL;

CREATE TABLE events (
    workspace_id uuid NOT NULL REFERENCES workspaces,
    position     integer NOT NULL,
    happened_at  timestamptz NOT NULL,         -- by the service's clock, which a sandbox moves
    event        jsonb NOT NULL,
    PRIMARY KEY (workspace_id, position)
);

-- The step that is due for a workspace, one at most. Times are the server's own: a lease lasts real seconds.
CREATE SEQUENCE fences;
CREATE TABLE steps (
    workspace_id uuid PRIMARY KEY REFERENCES workspaces,
    step         text NOT NULL,
    since        timestamptz NOT NULL DEFAULT clock_timestamp(),
    attempts     integer NOT NULL DEFAULT 0,
    not_before   timestamptz NOT NULL DEFAULT clock_timestamp(),
    leased_until timestamptz,
    fence        bigint,                       -- grows with each lease; an environment refuses a smaller one
    code         text                          -- why the last attempt failed
);
CREATE INDEX steps_due ON steps (not_before);

-- Pseudonyms: one key for each project, apart from the data, gone with the workspace (CSP:R1461-7).
CREATE TABLE pseudonym_keys (
    workspace_id uuid PRIMARY KEY REFERENCES workspaces,
    key          bytea NOT NULL CHECK (octet_length(key) = 32)
);

CREATE TABLE certificates (
    workspace_id uuid PRIMARY KEY REFERENCES workspaces,
    certificate  text NOT NULL,                -- canonical JSON, whose SHA-256 the trail has
    sha256       text NOT NULL
);

CREATE TABLE passwords_set (
    workspace_id uuid NOT NULL REFERENCES workspaces,
    person_ref   text NOT NULL,
    set_at       timestamptz NOT NULL
);

-- The registry of hosting environments: dated evidence, each loss beside it.
CREATE TABLE environments (
    environment_id           text PRIMARY KEY,
    operator                 text NOT NULL,
    storage_country          text NOT NULL,
    controlling_jurisdiction text NOT NULL,
    adequacy                 boolean NOT NULL,
    registered_at            timestamptz NOT NULL
);

CREATE TABLE evidence (
    environment_id text NOT NULL,
    type           text NOT NULL,
    issuer         text NOT NULL,
    reference      text NOT NULL,
    valid_from     date NOT NULL,
    valid_to       date NOT NULL,
    stated_at      timestamptz NOT NULL,
    lost_at        timestamptz,
    PRIMARY KEY (environment_id, type, issuer, reference, valid_from)
);

CREATE TABLE datasets (
    dataset_id    text PRIMARY KEY,
    dataset_class text NOT NULL,
    described_at  timestamptz NOT NULL
);

-- Persons by opaque reference only. A row that was reversed stays, so that an older event changes nothing.
CREATE TABLE opt_outs (
    ref          text PRIMARY KEY,
    opted_out    boolean NOT NULL,
    list_version bigint NOT NULL
);
CREATE TABLE opt_out_list (
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    version  bigint NOT NULL
);
INSERT INTO opt_out_list (version) VALUES (0);
