-- Simulations judge whole lives, user by user, no longer sign-ins one by one. Those that are under way begin anew.
ALTER TABLE policy_simulations
    DROP COLUMN at_time,
    DROP COLUMN at_id,
    -- Users up to this one were looked at; how many there are is known once they are listed.
    ADD COLUMN at_user text NOT NULL DEFAULT '',
    ADD COLUMN total_users bigint,
    ADD COLUMN examined_users bigint NOT NULL DEFAULT 0,
    -- How many of each label.
    ADD COLUMN refreshes jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN sessions jsonb NOT NULL DEFAULT '{}';

DELETE FROM policy_simulation_findings f USING policy_simulations s
 WHERE s.tenant_id = f.tenant_id AND s.simulation_id = f.simulation_id AND s.finish_time IS NULL;
UPDATE policy_simulations SET examined = 0, outcomes = '{}', fields = '{}' WHERE finish_time IS NULL;
UPDATE policy_simulations SET total_users = 0 WHERE finish_time IS NOT NULL;

-- All users that are looked at, and whether one is concerned.
ALTER TABLE policy_simulation_users ADD COLUMN is_affected boolean NOT NULL DEFAULT true;
DELETE FROM policy_simulation_users u USING policy_simulations s
 WHERE s.tenant_id = u.tenant_id AND s.simulation_id = u.simulation_id AND s.finish_time IS NULL;

-- Sessions that would have gone otherwise; the first thousand of each simulation.
CREATE TABLE policy_simulation_sessions (
    tenant_id        text NOT NULL,
    simulation_id    text NOT NULL,
    session_id       text NOT NULL,
    user_id          text NOT NULL,
    client_id        text NOT NULL,
    create_time      timestamptz NOT NULL,
    label            text NOT NULL,
    -- Why it would have ended, or what would have been asked for.
    reason           text NOT NULL,
    was_end_time     timestamptz,
    was_end_reason   text NOT NULL,
    would_end_time   timestamptz,
    -- At the latest: uses between two refreshes are not recorded.
    would_end_latest_time timestamptz,
    PRIMARY KEY (tenant_id, simulation_id, create_time, session_id),
    FOREIGN KEY (tenant_id, simulation_id) REFERENCES policy_simulations ON DELETE CASCADE
);
