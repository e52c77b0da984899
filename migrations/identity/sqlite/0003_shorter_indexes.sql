-- A hash is found by its first ten digits (`sql::head`): each new session goes into these indexes at random places, and the
-- smaller they are, the fewer pages a commit writes. Nothing asks for sessions by their age.

CREATE TABLE sessions (
    public_id        TEXT    NOT NULL PRIMARY KEY,
    browser_hash     TEXT    NOT NULL,
    challenge        TEXT    NOT NULL,
    status           TEXT    NOT NULL CHECK (status IN ('waiting', 'scanned', 'approved', 'rejected', 'expired')),
    return_url       TEXT,
    app_name         TEXT,
    app_icon         TEXT,
    created_at       INTEGER NOT NULL,
    expires_at       INTEGER NOT NULL,
    approved_at      INTEGER,
    reason           TEXT,
    user_id          TEXT,
    username         TEXT,
    public_key       TEXT,
    token_hash       TEXT    NOT NULL,
    phone_token_hash TEXT    NOT NULL,
    token_expires_at INTEGER,
    last_used_at     INTEGER,
    revoked_at       INTEGER
) STRICT;

INSERT INTO sessions
SELECT public_id, browser_hash, challenge, status, return_url, app_name, app_icon, created_at, expires_at, approved_at, reason,
       user_id, username, public_key, token_hash, phone_token_hash, token_expires_at, last_used_at, revoked_at
FROM auth_sessions;
DROP TABLE auth_sessions;
ALTER TABLE sessions RENAME TO auth_sessions;

CREATE INDEX auth_sessions_open ON auth_sessions (expires_at) WHERE status IN ('waiting', 'scanned');
CREATE INDEX auth_sessions_by_user ON auth_sessions (user_id, created_at) WHERE user_id IS NOT NULL;
CREATE INDEX auth_sessions_by_end ON auth_sessions (expires_at);
CREATE INDEX auth_sessions_by_browser ON auth_sessions (substr(browser_hash, 1, 10));
CREATE INDEX auth_sessions_by_token ON auth_sessions (substr(token_hash, 1, 10));
CREATE INDEX auth_sessions_by_phone_token ON auth_sessions (substr(phone_token_hash, 1, 10));
