-- VoucherClaimed events: which part of a channel was paid in which epoch.
CREATE TABLE IF NOT EXISTS claims (
  block         INTEGER NOT NULL,
  log_index     INTEGER NOT NULL,
  epoch         INTEGER NOT NULL,
  channel_id    BLOB NOT NULL,
  paid_before   TEXT NOT NULL,                  -- wei claimed on the channel before this claim
  delta         TEXT NOT NULL,                  -- wei this claim moved
  receipt_count INTEGER NOT NULL,
  PRIMARY KEY (block, log_index)
) WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS claims_by_epoch ON claims (epoch, channel_id);

-- Statements and commitments this node has built or fetched, whole, by epoch. The blob behind the CID is the truth.
CREATE TABLE IF NOT EXISTS statements (
  epoch INTEGER NOT NULL,
  node  TEXT NOT NULL,
  root  BLOB NOT NULL,
  total TEXT NOT NULL,
  cid   TEXT NOT NULL,
  PRIMARY KEY (epoch, node)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS statement_lines (
  epoch      INTEGER NOT NULL,
  node       TEXT NOT NULL,
  earner     TEXT NOT NULL,
  request_id BLOB NOT NULL,
  amount     TEXT NOT NULL,
  PRIMARY KEY (epoch, node, earner, request_id)
) WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS lines_by_earner ON statement_lines (earner, epoch);

CREATE TABLE IF NOT EXISTS epochs (
  epoch    INTEGER PRIMARY KEY,
  state    TEXT NOT NULL CHECK (state IN ('claimed', 'stated', 'committed', 'final')),
  cum_root BLOB,
  total    TEXT,
  data_cid TEXT
);
