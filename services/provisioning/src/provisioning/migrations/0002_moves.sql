-- A workspace that moves has another id at each target, so that source and copy never meet.
CREATE TABLE places (
    place          uuid PRIMARY KEY,
    workspace_id   uuid NOT NULL REFERENCES workspaces,
    environment_id text NOT NULL
);

-- Beside the certificate of the whole workspace (-1), one for each place that it left.
ALTER TABLE certificates ADD COLUMN place integer NOT NULL DEFAULT -1;
ALTER TABLE certificates DROP CONSTRAINT certificates_pkey;
ALTER TABLE certificates ADD PRIMARY KEY (workspace_id, place);
