-- Login sessions, transaction requests, devices. Times are milliseconds since the Unix epoch. Secrets (the browser's id
-- of a session, tokens) are held as SHA-256 only.

CREATE TABLE auth_sessions (
    public_id        TEXT    NOT NULL PRIMARY KEY,
    browser_hash     TEXT    NOT NULL UNIQUE,
    challenge        TEXT    NOT NULL,
    status           TEXT    NOT NULL CHECK (status IN ('waiting', 'scanned', 'approved', 'rejected', 'expired')),
    return_url       TEXT,
    app_name         TEXT,
    app_icon         TEXT,
    created_at       BIGINT  NOT NULL,
    expires_at       BIGINT  NOT NULL,
    approved_at      BIGINT,
    reason           TEXT,
    user_id          TEXT,
    username         TEXT,
    public_key       TEXT,
    token_hash       TEXT    NOT NULL UNIQUE,
    phone_token_hash TEXT    NOT NULL UNIQUE,
    token_expires_at BIGINT,
    last_used_at     BIGINT,
    revoked_at       BIGINT
);

CREATE INDEX auth_sessions_open ON auth_sessions (expires_at) WHERE status IN ('waiting', 'scanned');
CREATE INDEX auth_sessions_by_user ON auth_sessions (user_id, created_at) WHERE user_id IS NOT NULL;
CREATE INDEX auth_sessions_by_age ON auth_sessions (created_at);

CREATE TABLE transaction_requests (
    id             TEXT    NOT NULL PRIMARY KEY,
    user_id        TEXT    NOT NULL,
    public_key     TEXT    NOT NULL,
    status         TEXT    NOT NULL CHECK (status IN ('pending', 'approved', 'rejected', 'expired', 'submitted', 'confirmed', 'failed')),
    -- The text that the phone signs.
    message        TEXT    NOT NULL,
    app_name       TEXT,
    created_at     BIGINT  NOT NULL,
    expires_at     BIGINT  NOT NULL,
    transaction_id TEXT,
    reason         TEXT
);

CREATE INDEX transaction_requests_open ON transaction_requests (expires_at) WHERE status = 'pending';
-- One transaction answers one request.
CREATE UNIQUE INDEX transaction_requests_by_transaction ON transaction_requests (transaction_id) WHERE transaction_id IS NOT NULL;
CREATE INDEX transaction_requests_by_age ON transaction_requests (created_at);

CREATE TABLE device_tokens (
    id          TEXT    NOT NULL PRIMARY KEY,
    user_id     TEXT    NOT NULL,
    push_token  TEXT    NOT NULL,
    device_name TEXT,
    platform    TEXT,
    app_version TEXT,
    created_at  BIGINT  NOT NULL,
    UNIQUE (user_id, push_token)
);
