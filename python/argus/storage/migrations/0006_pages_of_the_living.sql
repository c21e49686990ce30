-- Pages of a user's living sessions, in their order: without it a user with thousands has all of them read and sorted for
-- each page, wherever most sessions of the table have ended.
DROP INDEX sessions_living_by_user;
CREATE INDEX sessions_living_by_user ON sessions (tenant_id, user_id, create_time DESC, session_id DESC)
    WHERE state <> 'ended';
