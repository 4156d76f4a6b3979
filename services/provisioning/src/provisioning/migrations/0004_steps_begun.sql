-- Whether an environment may have done something of the step: if it is no longer due then, what it left is not known.
ALTER TABLE steps ADD COLUMN begun boolean NOT NULL DEFAULT false;
