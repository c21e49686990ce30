-- Pages of a user's devices, in their order, without sorting.
DROP INDEX devices_by_user;
CREATE INDEX devices_by_user ON devices (tenant_id, user_id, create_time DESC, device_id DESC);
