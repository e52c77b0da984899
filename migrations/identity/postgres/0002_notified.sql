-- When the user's phones were told of a request; null where they have not been yet.
ALTER TABLE transaction_requests ADD COLUMN notified_at BIGINT;

CREATE INDEX transaction_requests_untold ON transaction_requests (created_at) WHERE status = 'pending' AND notified_at IS NULL;
CREATE INDEX transaction_requests_by_user ON transaction_requests (user_id, created_at);
CREATE INDEX auth_sessions_by_end ON auth_sessions (expires_at);
