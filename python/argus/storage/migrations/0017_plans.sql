-- What tenants have bought; no row: the plan "enterprise", which has everything.
CREATE TABLE plans (
    tenant_id        text PRIMARY KEY REFERENCES tenants,
    plan             text NOT NULL CHECK (plan IN ('enterprise', 'professional')),
    add_ons          text[] NOT NULL DEFAULT '{}'
);
CREATE TRIGGER plans_configuration AFTER INSERT OR UPDATE OR DELETE ON plans
    FOR EACH ROW EXECUTE FUNCTION tenant_configuration_changed();
