-- Key-encryption keys that Argus made and an external provider has wrapped; those of the settings are in no table.
CREATE TABLE key_encryption_keys (
    kek_id           text PRIMARY KEY,
    -- Whatever the provider answered.
    wrapped          text NOT NULL,
    create_time      timestamptz NOT NULL
);

-- One row: the key-encryption key that encrypts. Whoever encrypts holds it (FOR SHARE) until what was encrypted is
-- written, so that nothing is written under the one before once another was chosen. Filled by the first server.
CREATE TABLE current_key_encryption_key (
    only_row         boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    kek_id           text NOT NULL,
    change_time      timestamptz NOT NULL
);
INSERT INTO current_key_encryption_key (kek_id, change_time)
    SELECT kek_id, create_time FROM installation_secrets WHERE name = 'bucket';

-- To encrypt a key anew is no change that servers must follow.
DROP TRIGGER signing_keys_configuration ON signing_keys;
CREATE TRIGGER signing_keys_configuration
    AFTER INSERT OR DELETE OR UPDATE OF state, active_time, retire_time, end_time, public_jwk ON signing_keys
    FOR EACH STATEMENT EXECUTE FUNCTION configuration_changed();

-- The private half of a key that is over is not kept: empty, under no key.
UPDATE signing_keys SET private_ciphertext = '', kek_id = '' WHERE state = 'retired';

-- How long a key of the tenant signs until the next one takes over; 0: until told; NULL: as the settings say.
ALTER TABLE tenants ADD COLUMN key_rotation_period interval CHECK (key_rotation_period >= '0');
