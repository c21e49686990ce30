-- The fields of a numbered policy that a narrower scope than the client gave (a group, a user, a rule): living sessions
-- are held to their own value of them, and to the client's of all others. Of older numbers nobody knows: none.
ALTER TABLE policy_revisions ADD COLUMN narrower text[] NOT NULL DEFAULT '{}';

-- When a policy last brought the end of a session nearer, or when that was over before: where the new deadline had passed
-- by then, it ended at that moment and no earlier. NULL: none did.
ALTER TABLE sessions ADD COLUMN shortened_time timestamptz;

-- The installation's own default policy that sessions followed last, by the digest of its document. What follows another
-- one is left to the processes that have it.
CREATE TABLE default_policy (
    is_only          boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    digest           bytea NOT NULL,
    update_time      timestamptz NOT NULL
);
ALTER TABLE policy_changes ADD COLUMN default_digest bytea;
