"""Drills: real servers over real stores, broken on purpose while clients go on, and what must hold afterwards."""
