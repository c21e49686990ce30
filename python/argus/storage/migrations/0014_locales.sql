-- The language that a user is written to in (BCP 47, OpenID Connect's `locale`); empty: none is known.
ALTER TABLE users ADD COLUMN locale text NOT NULL DEFAULT '';
