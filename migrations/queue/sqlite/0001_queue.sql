-- The embedded transaction queue: one stream, one consumer group.
-- A row is an entry that no producer has acknowledged.
CREATE TABLE tx_queue (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    ms INTEGER NOT NULL,
    tx_id TEXT NOT NULL UNIQUE,
    body TEXT NOT NULL,
    consumer TEXT,
    taken_at INTEGER
) STRICT;

CREATE INDEX tx_queue_taken ON tx_queue (consumer, taken_at) WHERE consumer IS NOT NULL;

-- Entries that no block can take, with the reason; kept until somebody retries or drops them.
CREATE TABLE dead_letters (
    tx_id TEXT PRIMARY KEY,
    stream_id TEXT NOT NULL,
    body TEXT NOT NULL,
    reason TEXT NOT NULL,
    buried_at INTEGER NOT NULL
) STRICT;

-- Stream ids never go backwards, whatever the clock does.
CREATE TABLE queue_clock (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    last_ms INTEGER NOT NULL
) STRICT;

INSERT INTO queue_clock (only, last_ms) VALUES (1, 0);
