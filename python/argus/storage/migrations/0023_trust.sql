-- What trust in a device is made of. Unknown is NULL, never a value; a device that is forgotten takes it along.
CREATE TABLE device_trust (
    tenant_id        text NOT NULL,
    device_id        text NOT NULL,
    -- Logins, faded (half-life 60 days) up to `counted_time`.
    passed           double precision NOT NULL DEFAULT 0,
    failed           double precision NOT NULL DEFAULT 0,
    counted_time     timestamptz NOT NULL,
    -- Network and country of the last 32 logins, the newest last; NULL: neither was known.
    places           text[] NOT NULL DEFAULT '{}',
    key_kind         text NOT NULL DEFAULT 'none' CHECK (key_kind IN ('none', 'cookie', 'software', 'hardware')),
    -- The key that a client's sessions on it were bound to, and at how many sign-ins: from the second on it is enrolled.
    key_print        bytea,
    key_client_id    text,
    key_uses         integer NOT NULL DEFAULT 0,
    -- The last sign-in came without the enrolled key.
    key_missing      boolean NOT NULL DEFAULT false,
    last_used_time   timestamptz,
    integrity_bad    boolean,
    -- From then on it is unknown again.
    integrity_until  timestamptz,
    end_of_life      boolean,
    patch_days       integer CHECK (patch_days >= 0),
    -- The score at the last change; what fades since is computed when it is read.
    score            double precision NOT NULL DEFAULT 0,
    rate_time        timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, device_id),
    FOREIGN KEY (tenant_id, device_id) REFERENCES devices ON DELETE CASCADE
);

-- Trust at the user's last proof, 0 to 100, and risk, 0 to 1; NULL: not rated.
ALTER TABLE sessions ADD COLUMN trust double precision CHECK (trust BETWEEN 0 AND 100);
ALTER TABLE sessions ADD COLUMN risk double precision NOT NULL DEFAULT 0 CHECK (risk BETWEEN 0 AND 1);

-- The context that a session is known to be used in. Sessions without a row are known by what they began in.
CREATE TABLE session_contexts (
    tenant_id        text NOT NULL,
    session_id       text NOT NULL,
    -- SHA-256 of the strong (installation) and the weak evidence (TLS print, browser family); NULL: unknown.
    device_strong    bytea,
    device_weak      bytea,
    country          text,
    network_class    text,
    is_listed        boolean NOT NULL DEFAULT false,
    judge_time       timestamptz NOT NULL,
    -- Print of the last context that was not good, and when it was told, so that it is told once.
    refused_digest   bytea,
    refused_time     timestamptz,
    PRIMARY KEY (tenant_id, session_id),
    FOREIGN KEY (tenant_id, session_id) REFERENCES sessions ON DELETE CASCADE
);
