-- What makes access tokens be over before they expire, for those who check them by themselves (ADR 24). Written by
-- triggers, so that no way to end something can be forgotten; an entry is only ever raised, and goes once it has expired.
-- `transaction` says which readers have seen it: a snapshot that does not show it has not.
CREATE TABLE revocations (
    tenant_id        text NOT NULL,
    kind             text NOT NULL CHECK (kind IN ('session', 'user', 'client', 'tenant', 'key')),
    -- As tokens carry it: sid, sub, client_id, nothing, kid.
    subject          text NOT NULL,
    -- When it was over; of users, clients and tenants: what was issued up to then is over.
    time             timestamptz NOT NULL,
    -- Of sessions.
    reason           text,
    -- From then on no token that it is about can be good.
    expire_time      timestamptz NOT NULL,
    transaction      xid8 NOT NULL,
    PRIMARY KEY (tenant_id, kind, subject)
);
CREATE INDEX revocations_in_order ON revocations (tenant_id, transaction, kind, subject);
CREATE INDEX revocations_by_expiry ON revocations (expire_time);

CREATE FUNCTION note_revocation(
    tenant text, what text, about text, at timestamptz, why text, until timestamptz) RETURNS void LANGUAGE sql AS $$
    INSERT INTO revocations (tenant_id, kind, subject, time, reason, expire_time, transaction)
    VALUES (tenant, what, about, at, why, until, pg_current_xact_id())
    ON CONFLICT (tenant_id, kind, subject) DO UPDATE
       SET time = GREATEST(revocations.time, EXCLUDED.time), transaction = EXCLUDED.transaction,
           expire_time = GREATEST(revocations.expire_time, EXCLUDED.expire_time)
$$;

-- When the last access token of a session has expired that was issued up to `at`: no token outlives its session's
-- absolute deadline. 5 s of leeway, and 30 s for tokens that are issued until the end is known everywhere
-- (RevocationStore.prolong goes on from there).
CREATE FUNCTION last_access_expiry(tenant text, policy integer, deadline timestamptz, at timestamptz)
    RETURNS timestamptz LANGUAGE sql STABLE AS $$
    SELECT LEAST(deadline, at + make_interval(secs => COALESCE(
               (SELECT (document->>'access_seconds')::integer FROM policy_revisions
                 WHERE tenant_id = tenant AND revision = policy), 3600))) + interval '35 seconds'
$$;

CREATE FUNCTION session_revoked() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM note_revocation(NEW.tenant_id, 'session', NEW.session_id, NEW.end_time, NEW.end_reason,
        last_access_expiry(NEW.tenant_id, NEW.policy_revision, NEW.absolute_deadline, NEW.end_time));
    RETURN NULL;
END $$;

-- Of users, clients and tenants. No policy lets an access token live for more than an hour.
CREATE FUNCTION not_before_revoked() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM note_revocation(NEW.tenant_id, TG_ARGV[0],
        CASE TG_ARGV[0] WHEN 'tenant' THEN '' ELSE to_jsonb(NEW)->>TG_ARGV[1] END,
        NEW.not_before, NULL, NEW.not_before + interval '1 hour 35 seconds');
    RETURN NULL;
END $$;

-- Whoever has a pulled key makes tokens as long as they like; what counts is how long somebody may hold a key set.
CREATE FUNCTION key_revoked() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM note_revocation(NEW.tenant_id, 'key', NEW.kid, NEW.end_time, NULL, NEW.end_time + interval '30 days');
    RETURN NULL;
END $$;

CREATE TRIGGER sessions_revocations AFTER UPDATE OF state ON sessions FOR EACH ROW
    WHEN (NEW.state = 'ended' AND OLD.state <> 'ended') EXECUTE FUNCTION session_revoked();
CREATE TRIGGER users_revocations AFTER UPDATE OF not_before ON users FOR EACH ROW
    WHEN (NEW.not_before IS DISTINCT FROM OLD.not_before AND NEW.not_before IS NOT NULL)
    EXECUTE FUNCTION not_before_revoked('user', 'user_id');
CREATE TRIGGER clients_revocations AFTER UPDATE OF not_before ON clients FOR EACH ROW
    WHEN (NEW.not_before IS DISTINCT FROM OLD.not_before AND NEW.not_before IS NOT NULL)
    EXECUTE FUNCTION not_before_revoked('client', 'client_id');
CREATE TRIGGER tenants_revocations AFTER UPDATE OF not_before ON tenants FOR EACH ROW
    WHEN (NEW.not_before IS DISTINCT FROM OLD.not_before AND NEW.not_before IS NOT NULL)
    EXECUTE FUNCTION not_before_revoked('tenant');
CREATE TRIGGER signing_keys_revocations AFTER UPDATE OF state ON signing_keys FOR EACH ROW
    WHEN (NEW.state = 'revoked' AND OLD.state <> 'revoked' AND NEW.use = 'access') EXECUTE FUNCTION key_revoked();

-- What ended a moment ago. (now() only spares the rest: it has expired whatever the clocks say.)
SELECT note_revocation(tenant_id, 'session', session_id, end_time, end_reason,
                       last_access_expiry(tenant_id, policy_revision, absolute_deadline, end_time))
  FROM sessions WHERE state = 'ended' AND end_time > now() - interval '2 hours';
SELECT note_revocation(tenant_id, 'user', user_id, not_before, NULL, not_before + interval '1 hour 35 seconds')
  FROM users WHERE not_before > now() - interval '2 hours';
SELECT note_revocation(tenant_id, 'client', client_id, not_before, NULL, not_before + interval '1 hour 35 seconds')
  FROM clients WHERE not_before > now() - interval '2 hours';
SELECT note_revocation(tenant_id, 'tenant', '', not_before, NULL, not_before + interval '1 hour 35 seconds')
  FROM tenants WHERE not_before > now() - interval '2 hours';
SELECT note_revocation(tenant_id, 'key', kid, end_time, NULL, end_time + interval '30 days')
  FROM signing_keys WHERE state = 'revoked' AND use = 'access' AND end_time IS NOT NULL;
