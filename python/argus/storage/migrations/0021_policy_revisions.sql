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
