-- Contracts. `value` is the state value as JSON; the columns before it are for lists. Their code is in state_values.
CREATE TABLE contracts (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    owner_id TEXT NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL
) STRICT;

CREATE INDEX contracts_owner ON contracts (owner_id, seq);

-- What contracts store. Keys are percent-encoded, as in the state's keys.
CREATE TABLE contract_data (
    contract_id TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (contract_id, key)
) STRICT, WITHOUT ROWID;
