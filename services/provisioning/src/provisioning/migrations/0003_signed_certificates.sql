-- The signed note about a certificate (C2SP signed-note); NULL where certificates are not signed.
ALTER TABLE certificates ADD COLUMN note text;
