"""Load for a server: many calls, what each costs in time and CPU, and whether the server did what it said."""
