-- The chain. The ledger is its only writer; a block is one transaction. Times are milliseconds since the epoch, amounts
-- the digits of the currency's smallest unit. What a row of users, balances, currencies and state_values says is exactly
-- the value that the state tree holds the hash of. The columns are those of the SQLite tables; texts that are ordered
-- or searched are compared byte by byte, whatever the database's locale.

CREATE TABLE blocks (
    height BIGINT PRIMARY KEY,
    hash TEXT COLLATE "C" NOT NULL UNIQUE,
    parent_hash TEXT NOT NULL,
    chain_id TEXT NOT NULL,
    timestamp BIGINT NOT NULL,
    producer TEXT NOT NULL,
    tx_root TEXT NOT NULL,
    receipts_root TEXT NOT NULL,
    changes_hash TEXT NOT NULL,
    state_root TEXT NOT NULL,
    tx_count BIGINT NOT NULL,
    failed_count BIGINT NOT NULL,
    gas_used BIGINT NOT NULL,
    gas_limit BIGINT NOT NULL,
    content_refs TEXT NOT NULL,
    validators_hash TEXT NOT NULL,
    next_validators_hash TEXT NOT NULL,
    -- The producer's; none on the genesis.
    signature TEXT,
    -- JSON array of the transactions' ids.
    transactions TEXT NOT NULL
);

-- seq is height * 2^20 + position: a block's transactions lie together, and the newest last.
CREATE TABLE transactions (
    seq BIGINT PRIMARY KEY,
    id TEXT COLLATE "C" NOT NULL UNIQUE,
    -- Ids that `from` and `to` stood for; the user that was created, in a creation.
    from_id TEXT COLLATE "C",
    to_id TEXT COLLATE "C",
    amount TEXT,
    currency_code TEXT,
    type TEXT NOT NULL,
    status TEXT NOT NULL,
    metadata TEXT,
    created_at BIGINT NOT NULL,
    confirmed_at BIGINT NOT NULL,
    block_height BIGINT NOT NULL REFERENCES blocks (height),
    -- What was signed and the signature, as JSON; the columns above are for searching.
    body TEXT NOT NULL,
    receipt TEXT NOT NULL
);

CREATE INDEX transactions_from ON transactions (from_id, seq);
CREATE INDEX transactions_to ON transactions (to_id, seq);

CREATE TABLE users (
    id TEXT COLLATE "C" PRIMARY KEY,
    username TEXT COLLATE "C" NOT NULL UNIQUE,
    display_name TEXT NOT NULL,
    public_key TEXT COLLATE "C" NOT NULL UNIQUE,
    role TEXT NOT NULL,
    bio TEXT NOT NULL,
    nonce BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE INDEX users_created ON users (created_at, id);

CREATE TABLE balances (
    owner_id TEXT COLLATE "C" NOT NULL,
    owner_type TEXT NOT NULL,
    currency_code TEXT COLLATE "C" NOT NULL,
    amount TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (owner_id, currency_code)
);

CREATE TABLE currencies (
    code TEXT COLLATE "C" PRIMARY KEY,
    type TEXT NOT NULL,
    decimals BIGINT NOT NULL,
    name TEXT,
    symbol TEXT,
    verified BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE contracts (
    id TEXT COLLATE "C" PRIMARY KEY,
    owner_id TEXT COLLATE "C" NOT NULL,
    name TEXT NOT NULL,
    code_hash TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    -- The state's values of the contract and of its code, as JSON; the columns before them are for lists.
    value TEXT NOT NULL,
    code TEXT NOT NULL
);

CREATE INDEX contracts_created ON contracts (created_at, id);
CREATE INDEX contracts_owner ON contracts (owner_id, created_at, id);

-- What contracts store. Keys are percent-encoded, as in the state's keys; values are JSON texts.
CREATE TABLE contract_data (
    contract_id TEXT COLLATE "C" NOT NULL,
    key TEXT COLLATE "C" NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (contract_id, key)
);

-- Values of the state that have no table of their own, as JSON.
CREATE TABLE state_values (
    key TEXT COLLATE "C" PRIMARY KEY,
    value TEXT NOT NULL
);

-- What each block changed: the body of the block, and the history from which any earlier state can be read.
CREATE TABLE state_changes (
    height BIGINT NOT NULL REFERENCES blocks (height),
    position BIGINT NOT NULL,
    key TEXT COLLATE "C" NOT NULL,
    before TEXT,
    after TEXT,
    PRIMARY KEY (height, position)
);

CREATE INDEX state_changes_key ON state_changes (key, height);

-- Nodes of the state tree by the block that made them.
CREATE TABLE state_nodes (
    version BIGINT NOT NULL,
    path BYTEA NOT NULL,
    node BYTEA NOT NULL,
    PRIMARY KEY (version, path)
);
