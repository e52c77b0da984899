-- The key that a node changed to: a removal that was signed over the key before still counts. None where the name was
-- registered again after the node was out; what was signed about the node before is not about the one that came back.
ALTER TABLE retired_keys ADD COLUMN replaced_by TEXT;

CREATE INDEX retired_keys_by_successor ON retired_keys (replaced_by);
