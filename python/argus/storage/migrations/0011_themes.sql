-- How the pages of a tenant look; no row: as Argus has them.
CREATE TABLE themes (
    tenant_id    text PRIMARY KEY REFERENCES tenants,
    title        text NOT NULL,
    accent_light text NOT NULL,
    accent_dark  text NOT NULL,
    logo         bytea NOT NULL,
    logo_type    text NOT NULL
);
