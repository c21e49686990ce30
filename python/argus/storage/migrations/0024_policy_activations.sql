-- Which revision of a scope's policy was in force from when on: what looking back at a session goes by.
CREATE TABLE policy_activations (
    tenant_id        text NOT NULL REFERENCES tenants,
    scope_kind       text NOT NULL CHECK (scope_kind IN ('tenant', 'client', 'group', 'user')),
    scope_id         text NOT NULL,
    -- Of the row in `policies`, which counts its changes.
    version          bigint NOT NULL,
    -- 0: none.
    number           integer NOT NULL,
    activate_time    timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, scope_kind, scope_id, version)
);

INSERT INTO policy_activations (tenant_id, scope_kind, scope_id, version, number, activate_time)
SELECT tenant_id, scope_kind, scope_id, revision, active, update_time FROM policies;
