-- Passkeys and security keys (WebAuthn Level 3), and each tenant's rules for them.

-- Who a user is to authenticators: random, so that it says nothing about the user.
CREATE TABLE passkey_users (
    tenant_id        text NOT NULL,
    user_id          text NOT NULL,
    user_handle      bytea NOT NULL CHECK (octet_length(user_handle) = 32),
    PRIMARY KEY (tenant_id, user_id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users ON DELETE CASCADE
);

CREATE TABLE passkeys (
    tenant_id        text NOT NULL,
    credential_id    text NOT NULL,
    user_id          text NOT NULL,
    rp_id            text NOT NULL,
    -- The authenticator's id of it.
    webauthn_id      bytea NOT NULL CHECK (octet_length(webauthn_id) BETWEEN 1 AND 1023),
    -- COSE key in CBOR.
    public_key       bytea NOT NULL,
    sign_count       bigint NOT NULL,
    -- Its authenticator is known to verify its user, and not since somebody else may have set it up to.
    uv_initialized   boolean NOT NULL,
    backup_eligible  boolean NOT NULL,
    backed_up        boolean NOT NULL,
    -- Its make was proved by a statement that leads to a root of the tenant.
    attested         boolean NOT NULL,
    attestation_format text NOT NULL,
    aaguid           text NOT NULL,
    transports       text[] NOT NULL,
    -- NULL: the browser did not say.
    discoverable     boolean,
    PRIMARY KEY (tenant_id, credential_id),
    FOREIGN KEY (tenant_id, credential_id) REFERENCES credentials ON DELETE CASCADE,
    CHECK (backup_eligible OR NOT backed_up)
);
-- Without the tenant: tenants share the relying party of the base URL, and an id is registered for one user of it.
CREATE UNIQUE INDEX passkeys_by_webauthn_id ON passkeys (rp_id, webauthn_id);
CREATE INDEX passkeys_by_user ON passkeys (tenant_id, user_id);

-- What a tenant says otherwise than the base URL and the defaults do; a tenant without a row says nothing.
CREATE TABLE passkey_rules (
    tenant_id        text PRIMARY KEY REFERENCES tenants ON DELETE CASCADE,
    -- '' and {}: those of the base URL.
    rp_id            text NOT NULL,
    rp_name          text NOT NULL,
    origins          text[] NOT NULL,
    allows_cross_origin boolean NOT NULL,
    top_origins      text[] NOT NULL,
    counter_policy   text NOT NULL CHECK (counter_policy IN ('ignore', 'step_up', 'refuse')),
    attestation      text NOT NULL CHECK (attestation IN ('none', 'direct')),
    -- DER of certificates.
    attestation_roots bytea[] NOT NULL,
    aaguids          text[] NOT NULL,
    revision         bigint NOT NULL
);
