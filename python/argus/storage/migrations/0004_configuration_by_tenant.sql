-- Which tenant a rise of configuration_version was about: an emergency in one is not to wait for the reading of all.
CREATE TABLE tenant_configuration (
    tenant_id        text PRIMARY KEY,
    -- The configuration_version that its last change made.
    version          bigint NOT NULL
);
CREATE INDEX tenant_configuration_by_version ON tenant_configuration (version);

CREATE FUNCTION tenant_configuration_changed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    made bigint;
BEGIN
    -- Holds the row until the end of the transaction: whoever sees a version sees every change up to it.
    UPDATE configuration_version SET version = version + 1 RETURNING version INTO made;
    INSERT INTO tenant_configuration (tenant_id, version) VALUES (COALESCE(NEW.tenant_id, OLD.tenant_id), made)
        ON CONFLICT (tenant_id) DO UPDATE SET version = EXCLUDED.version;
    NOTIFY argus_configuration;
    RETURN NULL;
END $$;

CREATE OR REPLACE TRIGGER tenants_configuration
    AFTER INSERT OR DELETE OR UPDATE OF disabled, is_system, not_before ON tenants
    FOR EACH ROW EXECUTE FUNCTION tenant_configuration_changed();
-- To encrypt a key anew is no change that servers must follow.
CREATE OR REPLACE TRIGGER signing_keys_configuration
    AFTER INSERT OR DELETE OR UPDATE OF state, active_time, retire_time, end_time, public_jwk ON signing_keys
    FOR EACH ROW EXECUTE FUNCTION tenant_configuration_changed();
CREATE OR REPLACE TRIGGER clients_configuration
    AFTER INSERT OR DELETE OR UPDATE OF scopes, resource, disabled, delete_time, not_before ON clients
    FOR EACH ROW EXECUTE FUNCTION tenant_configuration_changed();
CREATE OR REPLACE TRIGGER policies_configuration AFTER INSERT OR DELETE OR UPDATE ON policies
    FOR EACH ROW EXECUTE FUNCTION tenant_configuration_changed();
CREATE OR REPLACE TRIGGER policy_revisions_configuration AFTER INSERT ON policy_revisions
    FOR EACH ROW EXECUTE FUNCTION tenant_configuration_changed();
