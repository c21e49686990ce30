-- The Redis node that counts, one a shard: a name under Sentinel. A standalone Redis has no row.
CREATE TABLE primaries (
    shard            text PRIMARY KEY,
    -- Changes with every lineage; the run id only with the process.
    lineage          bytea NOT NULL CHECK (length(lineage) = 8),
    run_id           text NOT NULL,
    -- Counts the processes of Redis that have been the primary.
    term             bigint NOT NULL,
    -- False until nobody can still be using the process of the term before (rotation.md, section 3).
    is_serving       boolean NOT NULL,
    register_time    timestamptz NOT NULL
);

-- Lineages that were replaced: they never count again.
CREATE TABLE superseded_primaries (
    shard            text NOT NULL,
    lineage          bytea NOT NULL,
    supersede_time   timestamptz NOT NULL,
    PRIMARY KEY (shard, lineage)
);
