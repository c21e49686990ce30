-- Since when a device is trusted, so that a shortened `device_trusted_for` counts from then; NULL: that was not kept.
ALTER TABLE devices ADD COLUMN trust_time timestamptz;
