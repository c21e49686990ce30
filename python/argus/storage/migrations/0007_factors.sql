-- Factors beside the password.
ALTER TABLE credentials DROP CONSTRAINT credentials_kind_check;
ALTER TABLE credentials ADD CONSTRAINT credentials_kind_check
    CHECK (kind IN ('password', 'totp', 'recovery_codes', 'webauthn'));
-- Passwords alone have a hash in their row; the others have tables of their own.
ALTER TABLE credentials ALTER COLUMN secret_hash DROP NOT NULL;
ALTER TABLE credentials ADD CONSTRAINT credentials_hash_of_password CHECK ((kind = 'password') = (secret_hash IS NOT NULL));
-- What the user calls it.
ALTER TABLE credentials ADD COLUMN display_name text NOT NULL DEFAULT '';
CREATE UNIQUE INDEX credentials_one_set_of_recovery_codes ON credentials (tenant_id, user_id) WHERE kind = 'recovery_codes';
CREATE INDEX credentials_by_user ON credentials (tenant_id, user_id, credential_id);

CREATE TABLE totp_secrets (
    tenant_id        text NOT NULL,
    credential_id    text NOT NULL,
    -- Under the key-encryption key, as private keys are.
    ciphertext       bytea NOT NULL,
    kek_id           text NOT NULL,
    -- Newest time step (30 s since 1970) of which a code was taken; it and those before count no more.
    last_step        bigint NOT NULL,
    PRIMARY KEY (tenant_id, credential_id),
    FOREIGN KEY (tenant_id, credential_id) REFERENCES credentials ON DELETE CASCADE
);
CREATE INDEX totp_secrets_by_key ON totp_secrets (kek_id);

CREATE TABLE recovery_codes (
    tenant_id        text NOT NULL,
    credential_id    text NOT NULL,
    -- HMAC-SHA256 under a key of the installation. A used code has no row any more.
    code_hmac        bytea NOT NULL,
    PRIMARY KEY (tenant_id, credential_id, code_hmac),
    FOREIGN KEY (tenant_id, credential_id) REFERENCES credentials ON DELETE CASCADE
);
