-- When a user was disabled because nobody had used it, and nobody has enabled or disabled it since: from then on counts
-- how long it is kept. Of those that were disabled before it is not known: they stay.
ALTER TABLE users ADD COLUMN unused_time timestamptz;
CREATE INDEX users_unused ON users (tenant_id, user_id) WHERE unused_time IS NOT NULL AND delete_time IS NULL;

-- Users that were deleted before left more behind than their id: what a deletion takes along by now.
UPDATE users SET locale = '' WHERE delete_time IS NOT NULL AND locale <> '';
DELETE FROM devices t USING users u
 WHERE u.tenant_id = t.tenant_id AND u.user_id = t.user_id AND u.delete_time IS NOT NULL;
DELETE FROM account_links t USING users u
 WHERE u.tenant_id = t.tenant_id AND u.user_id = t.user_id AND u.delete_time IS NOT NULL;
DELETE FROM mails t USING users u
 WHERE u.tenant_id = t.tenant_id AND u.user_id = t.user_id AND u.delete_time IS NOT NULL;
DELETE FROM deliveries t USING users u
 WHERE u.tenant_id = t.tenant_id AND u.user_id = t.user_id AND u.delete_time IS NOT NULL AND t.mail IS NOT NULL;
DELETE FROM notification_preferences t USING users u
 WHERE u.tenant_id = t.tenant_id AND u.user_id = t.user_id AND u.delete_time IS NOT NULL;
DELETE FROM session_contexts t USING sessions s, users u
 WHERE s.tenant_id = t.tenant_id AND s.session_id = t.session_id
   AND u.tenant_id = s.tenant_id AND u.user_id = s.user_id AND u.delete_time IS NOT NULL;
UPDATE sessions s
   SET device_type = '', device_os = '', device_browser = '', device_os_version = '', device_browser_version = '',
       device_app = '', display_name = '', category = '', user_agent = '', ip_address = NULL, seen_ip_address = NULL,
       country = NULL, city = NULL, radius_km = NULL, asn = NULL, asn_name = NULL, network_class = NULL
  FROM users u WHERE u.tenant_id = s.tenant_id AND u.user_id = s.user_id AND u.delete_time IS NOT NULL;
