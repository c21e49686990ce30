-- Where tenants have things sent: webhooks for events, or a mail server of their own.
CREATE TABLE channels (
    tenant_id        text NOT NULL REFERENCES tenants,
    channel_id       text NOT NULL,
    kind             text NOT NULL CHECK (kind IN ('webhook', 'smtp')),
    display_name     text NOT NULL DEFAULT '',
    -- Never with a password.
    url              text NOT NULL,
    -- Of a webhook: "session.ended", or "session.*".
    event_types      text[] NOT NULL DEFAULT '{}',
    use_templates    boolean NOT NULL DEFAULT false,
    locale           text NOT NULL DEFAULT '',
    username         text NOT NULL DEFAULT '',
    sender           text NOT NULL DEFAULT '',
    state            text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'paused', 'disabled')),
    pause_reason     text NOT NULL DEFAULT '',
    pause_time       timestamptz,
    -- The first failure since something arrived last.
    failing_since_time timestamptz,
    last_success_time timestamptz,
    create_time      timestamptz NOT NULL,
    revision         bigint NOT NULL DEFAULT 1,
    PRIMARY KEY (tenant_id, channel_id)
);

-- Secrets of webhooks, passwords of mail servers; encrypted with the key-encryption key. Of a webhook there may be two.
CREATE TABLE channel_secrets (
    tenant_id        text NOT NULL,
    channel_id       text NOT NULL,
    secret_id        text NOT NULL,
    ciphertext       bytea NOT NULL,
    kek_id           text NOT NULL,
    create_time      timestamptz NOT NULL,
    -- Until when it signs beside the one that took its place; NULL: it is the newest.
    expire_time      timestamptz,
    PRIMARY KEY (tenant_id, channel_id, secret_id),
    FOREIGN KEY (tenant_id, channel_id) REFERENCES channels ON DELETE CASCADE
);
CREATE UNIQUE INDEX channel_secrets_newest ON channel_secrets (tenant_id, channel_id) WHERE expire_time IS NULL;

-- What is sent, was sent, or was given up: written in the transaction of the event, kept as a log for 30 days.
CREATE TABLE deliveries (
    tenant_id        text NOT NULL REFERENCES tenants,
    delivery_id      text NOT NULL,
    -- Empty: the installation's mail server.
    channel_id       text NOT NULL,
    subject          text NOT NULL,
    -- Where the event stands in the audit table; a mail has none.
    event_id         text NOT NULL DEFAULT '',
    event_time       timestamptz NOT NULL,
    user_id          text,
    -- A dead letter that is a mail: all that is needed to send it again. Never a link or a code.
    mail             jsonb,
    state            text NOT NULL CHECK (state IN ('waiting', 'sent', 'dead')),
    reason           text NOT NULL DEFAULT '',
    create_time      timestamptz NOT NULL,
    expire_time      timestamptz NOT NULL,
    attempt_time     timestamptz NOT NULL,
    -- How often it was taken; whoever has taken it may say what came of it as long as nobody has taken it since.
    attempts         integer NOT NULL DEFAULT 0,
    -- Tries since it was sent, or sent again, for the first time.
    tries            integer NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant_id, delivery_id)
);
CREATE INDEX deliveries_due ON deliveries (tenant_id, channel_id, attempt_time) WHERE state = 'waiting';
CREATE INDEX deliveries_expiry ON deliveries (expire_time) WHERE state = 'waiting';
CREATE INDEX deliveries_listed ON deliveries (tenant_id, create_time DESC, delivery_id DESC);
CREATE INDEX deliveries_dead ON deliveries (tenant_id, create_time DESC, delivery_id DESC) WHERE state = 'dead';
CREATE INDEX deliveries_by_age ON deliveries (create_time);

-- Each try, written when it begins: of one that was cut short it is not known what came of it.
CREATE TABLE delivery_attempts (
    tenant_id        text NOT NULL,
    delivery_id      text NOT NULL,
    attempt          integer NOT NULL,
    time             timestamptz NOT NULL,
    outcome          text NOT NULL DEFAULT '',
    duration         interval,
    PRIMARY KEY (tenant_id, delivery_id, attempt),
    FOREIGN KEY (tenant_id, delivery_id) REFERENCES deliveries ON DELETE CASCADE
);

-- The words of tenants of their own.
CREATE TABLE notification_templates (
    tenant_id        text NOT NULL REFERENCES tenants,
    medium           text NOT NULL CHECK (medium IN ('mail', 'webhook')),
    notice           text NOT NULL,
    locale           text NOT NULL,
    subject          text NOT NULL,
    text             text NOT NULL,
    html             text NOT NULL,
    PRIMARY KEY (tenant_id, medium, notice, locale)
);

-- Notices that a user does not want by mail; no row: it gets them.
CREATE TABLE notification_preferences (
    tenant_id        text NOT NULL,
    user_id          text NOT NULL,
    notice           text NOT NULL,
    mail             boolean NOT NULL,
    PRIMARY KEY (tenant_id, user_id, notice),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users ON DELETE CASCADE
);
CREATE INDEX channel_secrets_by_key ON channel_secrets (kek_id);
