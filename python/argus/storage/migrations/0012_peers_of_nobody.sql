-- An identifier that nobody has costs what the next password of its tenant costs (credentials.store, ADR 34). By this
-- index the next one is found at once, even where PostgreSQL has no statistics: after an import it would sort them all.
-- It is one expression, because PostgreSQL would take two columns for the look-up of a user's password as well.
CREATE INDEX credentials_peers ON credentials ((tenant_id || '/' || credential_id) COLLATE "C") WHERE kind = 'password';
COMMENT ON COLUMN credentials.secret_hash IS 'Hash of a password: argon2id, or as another system made it until its user signs in.';
