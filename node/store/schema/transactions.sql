-- Every transaction this node ever sent, durable before it was sent. One payload per (account, nonce), for ever.
CREATE TABLE IF NOT EXISTS transactions (
  account      TEXT NOT NULL,
  nonce        INTEGER NOT NULL,
  purpose      TEXT NOT NULL,
  state        TEXT NOT NULL CHECK (state IN ('saved', 'mined', 'lost', 'refused')),
  saved_at     INTEGER NOT NULL,
  mined_hash   BLOB,
  mined_block  INTEGER,
  succeeded    INTEGER,
  PRIMARY KEY (account, nonce)
) STRICT, WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS transactions_open ON transactions (account, state, nonce);

-- What was signed for them, in order. Attempts of one nonce differ in their fees alone.
CREATE TABLE IF NOT EXISTS transaction_attempts (
  place    INTEGER PRIMARY KEY AUTOINCREMENT,
  hash     BLOB NOT NULL UNIQUE,
  account  TEXT NOT NULL,
  nonce    INTEGER NOT NULL,
  raw      BLOB NOT NULL,
  FOREIGN KEY (account, nonce) REFERENCES transactions (account, nonce)
) STRICT;

CREATE INDEX IF NOT EXISTS attempts_by_nonce ON transaction_attempts (account, nonce);

-- The blocks whose logs each follower has applied: its cursor, and what it compares to see a reorganisation.
CREATE TABLE IF NOT EXISTS followed_blocks (
  follower TEXT NOT NULL,
  number   INTEGER NOT NULL,
  hash     BLOB NOT NULL CHECK (length(hash) = 32),
  PRIMARY KEY (follower, number)
) STRICT, WITHOUT ROWID;
