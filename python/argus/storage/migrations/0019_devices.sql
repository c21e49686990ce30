-- What a device is known by, what it runs, where it was seen, and how far it is trusted.
ALTER TABLE devices
    ADD COLUMN os_version        text NOT NULL DEFAULT '',
    ADD COLUMN browser_version   text NOT NULL DEFAULT '',
    ADD COLUMN app               text NOT NULL DEFAULT '',
    -- Truncated SHA-256 of the key that it has proved, as in sessions.binding.
    ADD COLUMN key_sha256        bytea,
    -- Keyed hash of the id of an installed client.
    ADD COLUMN installation_hmac bytea,
    -- By what it was known at its last sign-in: key, token or installation; '': it was new.
    ADD COLUMN identity          text NOT NULL DEFAULT '',
    ADD COLUMN signals           text[] NOT NULL DEFAULT '{}',
    ADD COLUMN trust_expire_time timestamptz,
    ADD COLUMN country           text,
    ADD COLUMN city              text,
    ADD COLUMN radius_km         integer,
    ADD COLUMN asn               bigint,
    ADD COLUMN asn_name          text,
    ADD COLUMN network_class     text,
    ADD COLUMN revision          bigint NOT NULL DEFAULT 1;
CREATE INDEX devices_by_key ON devices (tenant_id, user_id, key_sha256) WHERE key_sha256 IS NOT NULL;
CREATE INDEX devices_by_installation ON devices (tenant_id, user_id, installation_hmac)
    WHERE installation_hmac IS NOT NULL;

ALTER TABLE sessions
    ADD COLUMN device_os_version      text NOT NULL DEFAULT '',
    ADD COLUMN device_browser_version text NOT NULL DEFAULT '',
    ADD COLUMN device_app             text NOT NULL DEFAULT '',
    ADD COLUMN asn                    bigint,
    ADD COLUMN asn_name               text,
    ADD COLUMN network_class          text,
    -- Address that the place is of; ip_address is the one that the session was begun from.
    ADD COLUMN seen_ip_address        inet;
CREATE INDEX sessions_by_device ON sessions (tenant_id, device_id, create_time DESC) WHERE device_id IS NOT NULL;

-- What devices look like: of each component a keyed hash, of nothing what it was made of.
CREATE TABLE device_prints (
    tenant_id text NOT NULL,
    device_id text NOT NULL,
    component text NOT NULL,
    digest    bytea NOT NULL,
    PRIMARY KEY (tenant_id, device_id, component),
    FOREIGN KEY (tenant_id, device_id) REFERENCES devices ON DELETE CASCADE
);

-- The newest statement of each source about the state of a device.
CREATE TABLE device_postures (
    tenant_id      text NOT NULL,
    device_id      text NOT NULL,
    source         text NOT NULL,
    integrity      text,
    disk_encrypted boolean,
    screen_lock    boolean,
    os             text NOT NULL DEFAULT '',
    os_version     text NOT NULL DEFAULT '',
    patch_version  text NOT NULL DEFAULT '',
    measured_time  timestamptz NOT NULL,
    reporter       text NOT NULL,
    PRIMARY KEY (tenant_id, device_id, source),
    FOREIGN KEY (tenant_id, device_id) REFERENCES devices ON DELETE CASCADE
);

-- What a link is about, besides its user; '': nothing.
ALTER TABLE account_links ADD COLUMN subject text NOT NULL DEFAULT '';

-- It is refused everywhere until it is replaced.
ALTER TABLE credentials ADD COLUMN to_be_replaced boolean NOT NULL DEFAULT false;
