"""Redis and PostgreSQL: connections, migrations, and the servers that `argus dev` starts."""
