-- Mail, and what people do to their accounts by it. No secret of a link or code is stored: it is computed from the
-- row's id with a key of the installation (docs/adr/0031).

-- Mails that wait to be sent, written in the transaction of what they tell of; gone once they are sent.
CREATE TABLE mails (
    tenant_id        text NOT NULL REFERENCES tenants,
    -- Also in the mail's Message-ID, so that a receiver knows one that comes twice.
    mail_id          text NOT NULL,
    template         text NOT NULL,
    locale           text NOT NULL DEFAULT '',
    user_id          text,
    -- Empty: nobody gets it. Who asks for a mail to an unknown address makes as much work as who asks for a real one.
    recipient        text NOT NULL,
    variables        jsonb NOT NULL DEFAULT '{}',
    -- What the link or code in it belongs to.
    link_id          text,
    code_id          text,
    create_time      timestamptz NOT NULL,
    -- After that nobody wants it any more.
    expire_time      timestamptz NOT NULL,
    attempt_time     timestamptz NOT NULL,
    attempts         integer NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant_id, mail_id)
);
CREATE INDEX mails_due ON mails (attempt_time);

-- What somebody has asked for who has proved nothing yet; whom it concerns is looked up later, by a worker.
CREATE TABLE account_requests (
    tenant_id        text NOT NULL REFERENCES tenants,
    account_request_id text NOT NULL,
    kind             text NOT NULL CHECK (kind IN ('recovery', 'registration', 'verification', 'email_code')),
    -- As it was typed; empty: `user_id` says whom it concerns (a code for a step-up).
    identifier       text NOT NULL,
    user_id          text,
    locale           text NOT NULL DEFAULT '',
    code_id          text,
    actor            text NOT NULL,
    request_id       text NOT NULL,
    ip_address       inet,
    create_time      timestamptz NOT NULL,
    attempt_time     timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, account_request_id)
);
CREATE INDEX account_requests_due ON account_requests (attempt_time);

-- Links in mails: one purpose, one use, an end.
CREATE TABLE account_links (
    tenant_id        text NOT NULL REFERENCES tenants,
    link_id          text NOT NULL,
    purpose          text NOT NULL CHECK (purpose IN ('recovery', 'registration', 'verification', 'invitation')),
    user_id          text,
    -- Whom it was sent to: who uses it has proved to read the mail that comes there.
    address          text NOT NULL,
    create_time      timestamptz NOT NULL,
    expire_time      timestamptz NOT NULL,
    use_time         timestamptz,
    PRIMARY KEY (tenant_id, link_id)
);
CREATE INDEX account_links_by_user ON account_links (tenant_id, user_id) WHERE user_id IS NOT NULL AND use_time IS NULL;
CREATE INDEX account_links_expiry ON account_links (expire_time);

-- One-time codes sent by mail; the tries are counted before anything is compared.
CREATE TABLE email_codes (
    tenant_id        text NOT NULL REFERENCES tenants,
    code_id          text NOT NULL,
    tries            integer NOT NULL DEFAULT 0,
    create_time      timestamptz NOT NULL,
    expire_time      timestamptz NOT NULL,
    use_time         timestamptz,
    PRIMARY KEY (tenant_id, code_id)
);
CREATE INDEX email_codes_expiry ON email_codes (expire_time);
