-- There may be a copy of its authenticator: alone it lets nobody in until it was seen beside another factor.
ALTER TABLE passkeys ADD COLUMN doubted boolean NOT NULL DEFAULT false;
