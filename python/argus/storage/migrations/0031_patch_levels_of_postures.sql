-- A patch level that a posture tells counts as long as the posture; then it is what the device says of itself.
ALTER TABLE device_trust
    ADD COLUMN patch_until     timestamptz,
    ADD COLUMN own_end_of_life boolean,
    ADD COLUMN own_patch_days  integer CHECK (own_patch_days >= 0);
