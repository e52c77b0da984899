-- Why no block can take it, for programs. What lies there from before was refused for one reason or another.
ALTER TABLE dead_letters ADD COLUMN code TEXT NOT NULL DEFAULT 'bad-transaction';
