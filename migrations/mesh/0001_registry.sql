-- The mesh registry. Times are milliseconds since the Unix epoch; keys and signatures are in their wire form.

CREATE TABLE nodes (
    id                     TEXT    NOT NULL PRIMARY KEY,
    public_key             TEXT    NOT NULL UNIQUE,
    -- The spelling of the key that the registration's signature covers.
    registration_key_text  TEXT    NOT NULL,
    tailscale_hostname     TEXT    NOT NULL,
    tailscale_ip           TEXT,
    status                 TEXT    NOT NULL CHECK (status IN ('pending', 'active', 'denied', 'offline')),
    registered_at          INTEGER NOT NULL,
    approved_at            INTEGER,
    approved_by            TEXT,
    last_heartbeat         INTEGER,
    -- The later of approval and last heartbeat: silence counts from here.
    last_seen              INTEGER NOT NULL,
    registration_signature TEXT    NOT NULL,
    region                 TEXT,
    version                TEXT,
    height                 INTEGER
) STRICT;

-- The earliest that may fall silent is found without reading the rest.
CREATE INDEX nodes_by_silence ON nodes (last_seen) WHERE status = 'active';
CREATE INDEX nodes_by_status ON nodes (status, registered_at);

CREATE TABLE services (
    node_id      TEXT    NOT NULL REFERENCES nodes (id) ON DELETE CASCADE,
    service_type TEXT    NOT NULL,
    -- Their order in the registration.
    position     INTEGER NOT NULL,
    port         INTEGER NOT NULL,
    public_key   TEXT    NOT NULL,
    healthy      INTEGER,
    last_check   INTEGER,
    PRIMARY KEY (node_id, service_type)
) STRICT, WITHOUT ROWID;

-- One row a heartbeat. The primary key is what refuses a replay: a signed time is taken once.
CREATE TABLE heartbeats (
    node_id     TEXT    NOT NULL REFERENCES nodes (id) ON DELETE CASCADE,
    signed_at   INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    height      INTEGER,
    version     TEXT,
    PRIMARY KEY (node_id, signed_at)
) STRICT, WITHOUT ROWID;

CREATE INDEX heartbeats_by_age ON heartbeats (received_at);

CREATE TABLE links (
    from_node  TEXT    NOT NULL REFERENCES nodes (id) ON DELETE CASCADE,
    to_node    TEXT    NOT NULL,
    latency_ms INTEGER NOT NULL,
    at         INTEGER NOT NULL,
    PRIMARY KEY (from_node, to_node)
) STRICT, WITHOUT ROWID;

-- A key that has ended stays, so that it never becomes one again.
CREATE TABLE sovereign_keys (
    public_key  TEXT    NOT NULL PRIMARY KEY,
    description TEXT,
    added_at    INTEGER NOT NULL,
    added_by    TEXT,
    replaced_by TEXT,
    ends_at     INTEGER
) STRICT;

-- Everything that a sovereign decided, for ever. Each row holds the hash of the one before: a row that is taken out
-- or changed breaks the chain.
CREATE TABLE decisions (
    number        INTEGER NOT NULL PRIMARY KEY,
    at            INTEGER NOT NULL,
    kind          TEXT    NOT NULL,
    subject       TEXT    NOT NULL,
    decided_by    TEXT,
    message       TEXT    NOT NULL,
    signature     TEXT,
    previous_hash TEXT    NOT NULL,
    hash          TEXT    NOT NULL
) STRICT;

CREATE TRIGGER decisions_are_not_changed BEFORE UPDATE ON decisions
BEGIN
    SELECT RAISE(ABORT, 'decisions are kept for ever');
END;

CREATE TRIGGER decisions_are_not_deleted BEFORE DELETE ON decisions
BEGIN
    SELECT RAISE(ABORT, 'decisions are kept for ever');
END;
