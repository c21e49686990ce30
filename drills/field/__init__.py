"""What is broken: processes of Argus, Redis, PostgreSQL and Sentinel, and the network between them."""
