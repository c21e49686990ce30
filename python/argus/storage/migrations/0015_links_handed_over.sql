-- What links are for stands in the code (`accounts/model.py`), where each has its length of life, too.
ALTER TABLE account_links DROP CONSTRAINT account_links_purpose_check;
ALTER TABLE account_links ADD CONSTRAINT account_links_purpose_check CHECK (purpose ~ '^[a-z_]+$');
