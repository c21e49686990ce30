"""What beginning a session costs, beside an insert into PostgreSQL and nothing else."""
