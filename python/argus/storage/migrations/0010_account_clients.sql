-- The built-in client of each tenant: sessions of Argus's own pages, and of applications in browsers, are its. Nobody has
-- its secret: no text has an empty hash. New tenants begin with it.
INSERT INTO clients (tenant_id, client_id, display_name, secret_sha256, scopes, resource, create_time)
    SELECT tenant_id, 'account', 'Account', '',
           ARRAY['context.assert', 'login.run', 'tokens.refresh', 'tokens.verify'], 'urn:argus:account', create_time
      FROM tenants
    ON CONFLICT DO NOTHING;
