-- What policies ask for beside the session itself: earlier passwords, unused users, old audit events, proofs used once.

-- Hashes of passwords that were replaced, no more of them than the policy holds new ones against.
CREATE TABLE password_history (
    tenant_id        text NOT NULL,
    history_id       bigint GENERATED ALWAYS AS IDENTITY,
    user_id          text NOT NULL,
    secret_hash      text NOT NULL,
    -- When the password was set.
    create_time      timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, history_id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users ON DELETE CASCADE
);
CREATE INDEX password_history_by_user ON password_history (tenant_id, user_id, history_id);

-- When a user was enabled again: from then on it counts as used, or the next round would disable it anew.
ALTER TABLE users ADD COLUMN enable_time timestamptz;
CREATE INDEX users_enabled ON users (tenant_id, user_id) WHERE NOT disabled AND delete_time IS NULL;

-- The proof (its `auth_time`) that was used up where a policy lets each count once.
ALTER TABLE sessions ADD COLUMN used_proof_time timestamptz;

-- How far addresses in audit events have been cut to their networks.
CREATE TABLE audit_upkeep (
    tenant_id        text PRIMARY KEY REFERENCES tenants,
    cut_time         timestamptz NOT NULL
);
