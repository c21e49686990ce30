-- What was in force where, from when on: living sessions follow it, and simulations of earlier times go by it.
CREATE TABLE policy_changes (
    tenant_id        text NOT NULL REFERENCES tenants,
    change_id        bigint GENERATED ALWAYS AS IDENTITY,
    scope_kind       text NOT NULL CHECK (scope_kind IN ('tenant', 'client', 'group', 'user')),
    scope_id         text NOT NULL,
    -- What is in force from then on, and its number; NULL: nothing was set, but the groups of the user are others.
    document         jsonb,
    active           integer,
    create_time      timestamptz NOT NULL,
    -- The sessions up to this one follow it, in this round: those that began meanwhile by what was before need a second.
    at_session       text NOT NULL DEFAULT '',
    round            integer NOT NULL DEFAULT 1,
    -- Not to be looked at before; NULL: all sessions follow it.
    due_time         timestamptz DEFAULT '-infinity',
    PRIMARY KEY (tenant_id, change_id)
);
CREATE INDEX policy_changes_open ON policy_changes (due_time, change_id) WHERE due_time IS NOT NULL;
CREATE INDEX policy_changes_by_scope ON policy_changes (tenant_id, scope_kind, scope_id, create_time DESC);

-- What was in force before stands in the documents; when each of them was put in force is when it was made, but for few.
INSERT INTO policy_changes (tenant_id, scope_kind, scope_id, document, active, create_time, due_time)
SELECT d.tenant_id, d.scope_kind, d.scope_id, d.document, d.number, d.create_time, NULL
  FROM policies p JOIN policy_documents d USING (tenant_id, scope_kind, scope_id)
 WHERE d.number = ANY (p.earlier) AND d.number <> p.active
 ORDER BY d.create_time;
-- Sessions that live have followed groups and users at their beginning alone.
INSERT INTO policy_changes (tenant_id, scope_kind, scope_id, document, active, create_time)
SELECT tenant_id, scope_kind, scope_id, document, active, update_time FROM policies ORDER BY update_time;

CREATE FUNCTION policy_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO policy_changes (tenant_id, scope_kind, scope_id, document, active, create_time)
    VALUES (NEW.tenant_id, NEW.scope_kind, NEW.scope_id, NEW.document, NEW.active, NEW.update_time);
    RETURN NULL;
END $$;
CREATE TRIGGER policies_begun AFTER INSERT ON policies FOR EACH ROW EXECUTE FUNCTION policy_changed();
CREATE TRIGGER policies_changed AFTER UPDATE OF document, active ON policies FOR EACH ROW
    WHEN ((OLD.document, OLD.active) IS DISTINCT FROM (NEW.document, NEW.active)) EXECUTE FUNCTION policy_changed();

-- A user that is new, as all of an import are, has no session that could follow.
CREATE FUNCTION groups_joined() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO policy_changes (tenant_id, scope_kind, scope_id, create_time)
    SELECT DISTINCT u.tenant_id, 'user', u.user_id, j.create_time
      FROM joined j JOIN users u ON u.tenant_id = j.tenant_id AND u.user_id = j.user_id
     WHERE u.create_time < j.create_time;
    RETURN NULL;
END $$;
CREATE TRIGGER group_members_joined AFTER INSERT ON group_members REFERENCING NEW TABLE AS joined
    FOR EACH STATEMENT EXECUTE FUNCTION groups_joined();

CREATE FUNCTION groups_left() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO policy_changes (tenant_id, scope_kind, scope_id, create_time)
    SELECT DISTINCT gone.tenant_id, 'user', gone.user_id, now()
      FROM gone JOIN users u ON u.tenant_id = gone.tenant_id AND u.user_id = gone.user_id
     WHERE u.delete_time IS NULL;
    RETURN NULL;
END $$;
CREATE TRIGGER group_members_left AFTER DELETE ON group_members REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION groups_left();

-- When the last access token has expired that a looser policy let live longer: offline verifiers must hear of an end
-- until then, whatever the session lives by now.
ALTER TABLE sessions ADD COLUMN tokens_until timestamptz;

CREATE OR REPLACE FUNCTION session_revoked() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM note_revocation(NEW.tenant_id, 'session', NEW.session_id, NEW.end_time, NEW.end_reason, GREATEST(
        last_access_expiry(NEW.tenant_id, NEW.policy_revision, NEW.absolute_deadline, NEW.end_time), NEW.tokens_until));
    RETURN NULL;
END $$;
