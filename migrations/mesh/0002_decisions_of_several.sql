-- Decisions of several sovereigns, removal, labels, other keys, and how nodes have been.

ALTER TABLE nodes ADD COLUMN removed_at INTEGER;
-- The signed time of the last label: an older one is not taken again.
ALTER TABLE nodes ADD COLUMN labelled_at INTEGER;
-- When the node was last marked offline, and the chain's height then.
ALTER TABLE nodes ADD COLUMN away_since INTEGER;
ALTER TABLE nodes ADD COLUMN away_height INTEGER;

CREATE INDEX nodes_by_height ON nodes (height) WHERE status = 'active' AND height IS NOT NULL;
CREATE INDEX decisions_by_subject ON decisions (subject);

-- Keys that were a node's: they never are one's again.
CREATE TABLE retired_keys (
    public_key TEXT    NOT NULL PRIMARY KEY,
    node_id    TEXT    NOT NULL,
    retired_at INTEGER NOT NULL
) STRICT;

-- What sovereigns want that more of them must want. `about` is `node/<id>` or `key/<key>`; a sovereign wants one thing
-- of each.
CREATE TABLE votes (
    about     TEXT    NOT NULL,
    voter     TEXT    NOT NULL,
    kind      TEXT    NOT NULL,
    signed_at INTEGER,
    at        INTEGER NOT NULL,
    PRIMARY KEY (about, voter)
) STRICT, WITHOUT ROWID;

-- When nodes were away, and how many blocks the chain grew by meanwhile. Kept as long as heartbeats.
CREATE TABLE absences (
    node_id TEXT    NOT NULL REFERENCES nodes (id) ON DELETE CASCADE,
    began   INTEGER NOT NULL,
    ended   INTEGER NOT NULL,
    blocks  INTEGER NOT NULL,
    PRIMARY KEY (node_id, began)
) STRICT, WITHOUT ROWID;

CREATE INDEX absences_by_age ON absences (ended);
