-- A place is what the databases of now say of an address: what another one has said of it before can't be compared.
ALTER TABLE session_contexts ADD COLUMN country_address text, ADD COLUMN network_address text;
UPDATE session_contexts c SET country_address = host(s.seen_ip_address), network_address = host(s.seen_ip_address)
  FROM sessions s WHERE s.tenant_id = c.tenant_id AND s.session_id = c.session_id;
ALTER TABLE session_contexts DROP COLUMN country, DROP COLUMN network_class;
