-- A device is known by the key that trust in it goes by, and no longer by one that a second factor has replaced.
UPDATE devices d SET key_sha256 = t.key_print FROM device_trust t
 WHERE t.tenant_id = d.tenant_id AND t.device_id = d.device_id AND t.key_print <> d.key_sha256;
