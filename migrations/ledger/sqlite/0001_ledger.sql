-- The chain. The ledger is its only writer; a block is one transaction. Times are milliseconds since the epoch, amounts
-- the digits of the currency's smallest unit. What a row of users, balances, currencies and state_values says is exactly
-- the value that the state tree holds the hash of.

CREATE TABLE blocks (
    height INTEGER PRIMARY KEY,
    hash TEXT NOT NULL UNIQUE,
    parent_hash TEXT NOT NULL,
    chain_id TEXT NOT NULL,
    timestamp INTEGER NOT NULL,
    producer TEXT NOT NULL,
    tx_root TEXT NOT NULL,
    receipts_root TEXT NOT NULL,
    changes_hash TEXT NOT NULL,
    state_root TEXT NOT NULL,
    tx_count INTEGER NOT NULL,
    failed_count INTEGER NOT NULL,
    gas_used INTEGER NOT NULL,
    gas_limit INTEGER NOT NULL,
    content_refs TEXT NOT NULL,
    validators_hash TEXT NOT NULL,
    next_validators_hash TEXT NOT NULL,
    -- The producer's; none on the genesis.
    signature TEXT,
    -- JSON array of the transactions' ids.
    transactions TEXT NOT NULL
) STRICT;

-- seq is height * 2^20 + position: a block's transactions lie together, and the newest last.
CREATE TABLE transactions (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    -- Ids that `from` and `to` stood for; the user that was created, in a creation.
    from_id TEXT,
    to_id TEXT,
    amount TEXT,
    currency_code TEXT,
    type TEXT NOT NULL,
    status TEXT NOT NULL,
    metadata TEXT,
    created_at INTEGER NOT NULL,
    confirmed_at INTEGER NOT NULL,
    block_height INTEGER NOT NULL REFERENCES blocks (height),
    -- What was signed and the signature, as JSON; the columns above are for searching.
    body TEXT NOT NULL,
    receipt TEXT NOT NULL
) STRICT;

CREATE INDEX transactions_from ON transactions (from_id, seq);
CREATE INDEX transactions_to ON transactions (to_id, seq);

CREATE TABLE users (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    username TEXT NOT NULL UNIQUE,
    display_name TEXT NOT NULL,
    public_key TEXT NOT NULL UNIQUE,
    role TEXT NOT NULL,
    bio TEXT NOT NULL,
    nonce INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;

CREATE TABLE balances (
    owner_id TEXT NOT NULL,
    owner_type TEXT NOT NULL,
    currency_code TEXT NOT NULL,
    amount TEXT NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (owner_id, currency_code)
) STRICT, WITHOUT ROWID;

CREATE TABLE currencies (
    code TEXT PRIMARY KEY,
    type TEXT NOT NULL,
    decimals INTEGER NOT NULL,
    name TEXT,
    symbol TEXT,
    verified INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Values of the state that have no table of their own, as JSON.
CREATE TABLE state_values (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- What each block changed: the body of the block, and the history from which any earlier state can be read.
CREATE TABLE state_changes (
    height INTEGER NOT NULL REFERENCES blocks (height),
    position INTEGER NOT NULL,
    key TEXT NOT NULL,
    before TEXT,
    after TEXT,
    PRIMARY KEY (height, position)
) STRICT, WITHOUT ROWID;

CREATE INDEX state_changes_key ON state_changes (key, height);

-- Nodes of the state tree by the block that made them.
CREATE TABLE state_nodes (
    version INTEGER NOT NULL,
    path BLOB NOT NULL,
    node BLOB NOT NULL,
    PRIMARY KEY (version, path)
) STRICT, WITHOUT ROWID;
