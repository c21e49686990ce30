-- Documents as they were set, once and for ever: who, why, when. `policies` says which of them counts.
CREATE TABLE policy_documents (
    tenant_id        text NOT NULL REFERENCES tenants,
    scope_kind       text NOT NULL CHECK (scope_kind IN ('tenant', 'client', 'group', 'user')),
    scope_id         text NOT NULL,
    number           integer NOT NULL CHECK (number > 0),
    document         jsonb NOT NULL,
    author           text NOT NULL,
    reason           text NOT NULL DEFAULT '',
    create_time      timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, scope_kind, scope_id, number)
);

-- `document` is that of `active`; 0: none, and it is empty. `revision` counts the changes of the row.
ALTER TABLE policies
    ADD COLUMN active integer NOT NULL DEFAULT 0,
    ADD COLUMN report_only integer NOT NULL DEFAULT 0,
    ADD COLUMN report_only_document jsonb,
    -- What was in force before, the latest last: what a roll-back goes back to.
    ADD COLUMN earlier integer[] NOT NULL DEFAULT '{}',
    ADD COLUMN author text NOT NULL DEFAULT '',
    ADD COLUMN reason text NOT NULL DEFAULT '',
    ADD COLUMN update_time timestamptz;

INSERT INTO policy_documents (tenant_id, scope_kind, scope_id, number, document, author, create_time)
SELECT tenant_id, scope_kind, scope_id, 1, document, 'system:migration', create_time FROM policies;

UPDATE policies SET active = 1, author = 'system:migration', update_time = create_time;
ALTER TABLE policies ALTER COLUMN update_time SET NOT NULL;

-- A policy tried on the sign-ins of a time: any process carries it on, from where the one before has come to.
CREATE TABLE policy_simulations (
    tenant_id        text NOT NULL REFERENCES tenants,
    simulation_id    text NOT NULL,
    scope_kind       text NOT NULL CHECK (scope_kind IN ('tenant', 'client', 'group', 'user')),
    scope_id         text NOT NULL,
    document         jsonb NOT NULL,
    begin_time       timestamptz NOT NULL,
    end_time         timestamptz NOT NULL,
    author           text NOT NULL,
    create_time      timestamptz NOT NULL,
    finish_time      timestamptz,
    -- The last decision that was looked at.
    at_time          timestamptz NOT NULL,
    at_id            text NOT NULL DEFAULT '',
    total            bigint NOT NULL,
    examined         bigint NOT NULL DEFAULT 0,
    -- How many of each label, and how many in which each field would be another.
    outcomes         jsonb NOT NULL DEFAULT '{}',
    fields           jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (tenant_id, simulation_id)
);
CREATE INDEX policy_simulations_open ON policy_simulations (create_time) WHERE finish_time IS NULL;

-- Decisions that would be others; the first thousand of each simulation.
CREATE TABLE policy_simulation_findings (
    tenant_id        text NOT NULL,
    simulation_id    text NOT NULL,
    event_id         text NOT NULL,
    time             timestamptz NOT NULL,
    user_id          text NOT NULL,
    client_id        text NOT NULL,
    label            text NOT NULL,
    was              jsonb NOT NULL,
    would            jsonb NOT NULL,
    PRIMARY KEY (tenant_id, simulation_id, time, event_id),
    FOREIGN KEY (tenant_id, simulation_id) REFERENCES policy_simulations ON DELETE CASCADE
);

-- Whom they concern; all of them.
CREATE TABLE policy_simulation_users (
    tenant_id        text NOT NULL,
    simulation_id    text NOT NULL,
    user_id          text NOT NULL,
    PRIMARY KEY (tenant_id, simulation_id, user_id),
    FOREIGN KEY (tenant_id, simulation_id) REFERENCES policy_simulations ON DELETE CASCADE
);
