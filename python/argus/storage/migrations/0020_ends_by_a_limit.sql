-- What a concurrent limit has ended says which one, how, and for which session (argus.sessions.limits.LimitEnd).
ALTER TABLE sessions ADD COLUMN end_detail jsonb;
