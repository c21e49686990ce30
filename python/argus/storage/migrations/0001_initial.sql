-- What is true. Every table and every unique key carries the tenant. Times come from the caller's clock, never from
-- now(), so that tests can move it.

CREATE TABLE tenants (
    tenant_id        text PRIMARY KEY CHECK (tenant_id ~ '^[a-z][a-z0-9-]{0,30}$'),
    display_name     text NOT NULL DEFAULT '',
    is_system        boolean NOT NULL DEFAULT false,
    disabled         boolean NOT NULL DEFAULT false,
    -- Sessions created up to then are over (rotation.md, section 2).
    not_before       timestamptz,
    -- Size of new RSA keys.
    rsa_bits         integer NOT NULL DEFAULT 2048 CHECK (rsa_bits IN (2048, 3072, 4096)),
    create_time      timestamptz NOT NULL,
    revision         bigint NOT NULL DEFAULT 1
);

-- Secrets of the installation, encrypted with the key-encryption key: 'bucket' (never rotates), 'identifier_hmac'.
CREATE TABLE installation_secrets (
    name             text PRIMARY KEY,
    ciphertext       bytea NOT NULL,
    kek_id           text NOT NULL,
    create_time      timestamptz NOT NULL
);

-- One row; rises with every change that the engine's snapshot is made of (trigger below), announced by NOTIFY.
CREATE TABLE configuration_version (
    only_row         boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    version          bigint NOT NULL
);
INSERT INTO configuration_version (version) VALUES (1);

CREATE FUNCTION configuration_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE configuration_version SET version = version + 1;
    NOTIFY argus_configuration;
    RETURN NULL;
END $$;

CREATE TABLE signing_keys (
    tenant_id        text NOT NULL REFERENCES tenants,
    -- RFC 7638 thumbprint, or the decimal jk (0-255) of a refresh_id key.
    kid              text NOT NULL,
    use              text NOT NULL CHECK (use IN ('access', 'refresh', 'refresh_id')),
    algorithm        text NOT NULL CHECK (algorithm IN ('RS256', 'EdDSA', 'HS256')),
    bits             integer NOT NULL DEFAULT 0,
    state            text NOT NULL CHECK (state IN ('pending', 'active', 'retiring', 'retired', 'revoked')),
    public_jwk       jsonb,
    private_ciphertext bytea NOT NULL,
    kek_id           text NOT NULL,
    create_time      timestamptz NOT NULL,
    -- When it becomes (became) active; a pending one is published until then.
    active_time      timestamptz NOT NULL,
    retire_time      timestamptz,
    end_time         timestamptz,
    PRIMARY KEY (tenant_id, use, kid)
);
CREATE UNIQUE INDEX signing_keys_one_active ON signing_keys (tenant_id, use) WHERE state = 'active';

CREATE TABLE policy_revisions (
    tenant_id        text NOT NULL REFERENCES tenants,
    revision         integer NOT NULL CHECK (revision > 0),
    -- SHA-256 of the canonical document: the same effective policy is the same revision.
    digest           bytea NOT NULL,
    document         jsonb NOT NULL,
    create_time      timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, revision),
    UNIQUE (tenant_id, digest)
);

-- What administrators set, by scope; the most specific wins field by field.
CREATE TABLE policies (
    tenant_id        text NOT NULL REFERENCES tenants,
    scope_kind       text NOT NULL CHECK (scope_kind IN ('tenant', 'client', 'group', 'user')),
    scope_id         text NOT NULL,
    document         jsonb NOT NULL,
    revision         bigint NOT NULL DEFAULT 1,
    create_time      timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, scope_kind, scope_id)
);

CREATE TABLE clients (
    tenant_id        text NOT NULL REFERENCES tenants,
    client_id        text NOT NULL CHECK (client_id ~ '^[a-z][a-z0-9-]{0,62}$'),
    display_name     text NOT NULL DEFAULT '',
    -- SHA-256 of 256 random bits.
    secret_sha256    bytea NOT NULL,
    scopes           text[] NOT NULL,
    resource         text NOT NULL,
    max_asserted_acr smallint NOT NULL DEFAULT 1 CHECK (max_asserted_acr BETWEEN 1 AND 3),
    disabled         boolean NOT NULL DEFAULT false,
    not_before       timestamptz,
    delete_time      timestamptz,
    create_time      timestamptz NOT NULL,
    revision         bigint NOT NULL DEFAULT 1,
    PRIMARY KEY (tenant_id, client_id)
);

CREATE TABLE users (
    tenant_id        text NOT NULL REFERENCES tenants,
    user_id          text NOT NULL,
    display_name     text NOT NULL DEFAULT '',
    disabled         boolean NOT NULL DEFAULT false,
    not_before       timestamptz,
    delete_time      timestamptz,
    create_time      timestamptz NOT NULL,
    revision         bigint NOT NULL DEFAULT 1,
    PRIMARY KEY (tenant_id, user_id)
);
CREATE INDEX users_by_creation ON users (tenant_id, create_time, user_id) WHERE delete_time IS NULL;

CREATE TABLE identifiers (
    tenant_id        text NOT NULL,
    identifier_id    text NOT NULL,
    user_id          text NOT NULL,
    kind             text NOT NULL CHECK (kind IN ('email', 'username', 'phone')),
    value            text NOT NULL,
    -- NFKC, lower case: what is compared.
    canonical        text NOT NULL,
    verify_time      timestamptz,
    create_time      timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, identifier_id),
    UNIQUE (tenant_id, canonical),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users ON DELETE CASCADE
);
CREATE INDEX identifiers_by_user ON identifiers (tenant_id, user_id);

CREATE TABLE groups (
    tenant_id        text NOT NULL REFERENCES tenants,
    group_id         text NOT NULL CHECK (group_id ~ '^[a-z][a-z0-9-]{0,62}$'),
    display_name     text NOT NULL DEFAULT '',
    create_time      timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, group_id)
);

CREATE TABLE group_members (
    tenant_id        text NOT NULL,
    group_id         text NOT NULL,
    user_id          text NOT NULL,
    create_time      timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, group_id, user_id),
    FOREIGN KEY (tenant_id, group_id) REFERENCES groups ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, user_id) REFERENCES users ON DELETE CASCADE
);
CREATE INDEX group_members_by_user ON group_members (tenant_id, user_id);

CREATE TABLE credentials (
    tenant_id        text NOT NULL,
    credential_id    text NOT NULL,
    user_id          text NOT NULL,
    kind             text NOT NULL CHECK (kind IN ('password')),
    -- PHC string of argon2id.
    secret_hash      text NOT NULL,
    closed_to_unknown_devices boolean NOT NULL DEFAULT false,
    create_time      timestamptz NOT NULL,
    last_use_time    timestamptz,
    revision         bigint NOT NULL DEFAULT 1,
    PRIMARY KEY (tenant_id, credential_id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users ON DELETE CASCADE
);
CREATE UNIQUE INDEX credentials_one_password ON credentials (tenant_id, user_id) WHERE kind = 'password';

CREATE TABLE devices (
    tenant_id        text NOT NULL,
    -- 16 random bytes, base64url.
    device_id        text NOT NULL,
    user_id          text NOT NULL,
    -- SHA-256 of the device token's secret.
    token_sha256     bytea NOT NULL,
    display_name     text NOT NULL DEFAULT '',
    category         text NOT NULL DEFAULT '',
    type             text NOT NULL DEFAULT '',
    os               text NOT NULL DEFAULT '',
    browser          text NOT NULL DEFAULT '',
    create_time      timestamptz NOT NULL,
    last_seen_time   timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, device_id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users ON DELETE CASCADE
);
CREATE INDEX devices_by_user ON devices (tenant_id, user_id);

-- Everything that a rebuild of the Redis record needs (rotation.md, section 2), and what lists show.
CREATE TABLE sessions (
    tenant_id        text NOT NULL,
    session_id       text NOT NULL,
    user_id          text NOT NULL,
    client_id        text NOT NULL,
    device_id        text,
    state            text NOT NULL CHECK (state IN ('active', 'contested', 'ended')),
    end_time         timestamptz,
    end_reason       text,
    create_time      timestamptz NOT NULL,
    last_active_time timestamptz NOT NULL,
    idle_deadline    timestamptz NOT NULL,
    absolute_deadline timestamptz NOT NULL,
    policy_revision  integer NOT NULL,
    family           bigint NOT NULL DEFAULT 1,
    refresh_id_key   smallint NOT NULL,
    -- Lower bound of the generation, and when it was made (rotation.md: lb, lb_at).
    generation_bound bigint NOT NULL DEFAULT 1,
    generation_bound_time timestamptz NOT NULL,
    -- 1: the bound was made by a rotation, not by a sign-in or step-up.
    generation_bound_rotated boolean NOT NULL DEFAULT false,
    -- Truncated SHA-256 of the key the session is bound to, 16 bytes.
    binding          bytea,
    acr              smallint NOT NULL,
    amr              text[] NOT NULL,
    auth_time        timestamptz NOT NULL,
    scope            text NOT NULL DEFAULT '',
    resources        text[] NOT NULL DEFAULT '{}',
    device_type      text NOT NULL DEFAULT '',
    device_os        text NOT NULL DEFAULT '',
    device_browser   text NOT NULL DEFAULT '',
    display_name     text NOT NULL DEFAULT '',
    category         text NOT NULL DEFAULT '',
    ip_address       inet,
    user_agent       text NOT NULL DEFAULT '',
    country          text,
    city             text,
    radius_km        integer,
    -- Commit order stands for creation order where two share an instant.
    revision         bigint NOT NULL DEFAULT 1,
    PRIMARY KEY (tenant_id, session_id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users ON DELETE CASCADE,
    CHECK ((state = 'ended') = (end_time IS NOT NULL)),
    CHECK ((end_time IS NULL) = (end_reason IS NULL))
);
CREATE INDEX sessions_by_user ON sessions (tenant_id, user_id, create_time DESC, session_id DESC);
CREATE INDEX sessions_living_by_user ON sessions (tenant_id, user_id) WHERE state <> 'ended';
CREATE INDEX sessions_living_by_client ON sessions (tenant_id, client_id) WHERE state <> 'ended';
-- The sweeper's due-time index.
CREATE INDEX sessions_due ON sessions (LEAST(idle_deadline, absolute_deadline)) WHERE state <> 'ended';

-- Ready for the sealer: rows are written unchained; `transaction` lets it stay below the oldest running one.
CREATE TABLE audit_events (
    tenant_id        text NOT NULL,
    event_id         text NOT NULL,
    time             timestamptz NOT NULL,
    type             text NOT NULL,
    actor            text NOT NULL,
    user_id          text,
    session_id       text,
    client_id        text,
    outcome          text NOT NULL CHECK (outcome IN ('success', 'failure')),
    reason           text,
    request_id       text,
    ip_address       inet,
    data             jsonb NOT NULL DEFAULT '{}',
    transaction      xid8 NOT NULL DEFAULT pg_current_xact_id(),
    sequence         bigint,
    previous_hash    bytea,
    hash             bytea,
    PRIMARY KEY (tenant_id, time, event_id)
) PARTITION BY RANGE (time);
CREATE TABLE audit_events_default PARTITION OF audit_events DEFAULT;
CREATE INDEX audit_events_by_session ON audit_events (tenant_id, session_id, time DESC, event_id DESC) WHERE session_id IS NOT NULL;
CREATE INDEX audit_events_by_user ON audit_events (tenant_id, user_id, time DESC, event_id DESC) WHERE user_id IS NOT NULL;
CREATE INDEX audit_events_by_request ON audit_events (tenant_id, request_id) WHERE request_id IS NOT NULL;
CREATE INDEX audit_events_unsealed ON audit_events (tenant_id, time) WHERE sequence IS NULL;

-- What must still reach others (Redis tombstones, stream, mail): written in the transaction of its cause.
CREATE TABLE outbox (
    tenant_id        text NOT NULL,
    outbox_id        bigint GENERATED ALWAYS AS IDENTITY,
    kind             text NOT NULL,
    -- What it is about, for idempotent carrying out (a session id, say).
    subject          text NOT NULL,
    payload          jsonb NOT NULL,
    create_time      timestamptz NOT NULL,
    attempt_time     timestamptz NOT NULL,
    attempts         integer NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant_id, outbox_id)
);
CREATE INDEX outbox_due ON outbox (attempt_time);

-- `request_id` of mutations: kept ten minutes, leads to a resource name, never to a token.
CREATE TABLE requests (
    tenant_id        text NOT NULL,
    caller           text NOT NULL,
    method           text NOT NULL,
    request_id       text NOT NULL,
    request_sha256   bytea NOT NULL,
    resource_name    text NOT NULL,
    expire_time      timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, caller, method, request_id)
);
CREATE INDEX requests_expiry ON requests (expire_time);

CREATE TRIGGER tenants_configuration AFTER INSERT OR DELETE OR UPDATE OF disabled, is_system, not_before ON tenants
    FOR EACH STATEMENT EXECUTE FUNCTION configuration_changed();
CREATE TRIGGER signing_keys_configuration AFTER INSERT OR DELETE OR UPDATE ON signing_keys
    FOR EACH STATEMENT EXECUTE FUNCTION configuration_changed();
CREATE TRIGGER clients_configuration AFTER INSERT OR DELETE OR UPDATE OF scopes, resource, disabled, delete_time, not_before ON clients
    FOR EACH STATEMENT EXECUTE FUNCTION configuration_changed();
CREATE TRIGGER policies_configuration AFTER INSERT OR DELETE OR UPDATE ON policies
    FOR EACH STATEMENT EXECUTE FUNCTION configuration_changed();
CREATE TRIGGER policy_revisions_configuration AFTER INSERT ON policy_revisions
    FOR EACH STATEMENT EXECUTE FUNCTION configuration_changed();
