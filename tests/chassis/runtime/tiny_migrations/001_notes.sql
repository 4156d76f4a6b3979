CREATE TABLE notes (ref text NOT NULL, noted_at timestamptz NOT NULL, how text NOT NULL);
