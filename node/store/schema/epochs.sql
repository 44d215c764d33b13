-- What the settlement's events said, by the block that said it, so that a reorganisation can take it back.
CREATE TABLE IF NOT EXISTS claims (
  block      INTEGER NOT NULL,
  position   INTEGER NOT NULL,
  epoch      INTEGER NOT NULL,                  -- in which the money was funded
  channel_id BLOB NOT NULL,
  delta      TEXT NOT NULL,                     -- wei that this claim moved
  PRIMARY KEY (block, position)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS rollovers (
  block      INTEGER NOT NULL,
  position   INTEGER NOT NULL,
  from_epoch INTEGER NOT NULL,
  to_epoch   INTEGER NOT NULL,
  PRIMARY KEY (block, position)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS statements (
  epoch INTEGER NOT NULL,
  node  TEXT NOT NULL,
  root  BLOB NOT NULL,
  total TEXT NOT NULL,
  cid   TEXT NOT NULL,
  block INTEGER NOT NULL,
  voided_block INTEGER,
  PRIMARY KEY (epoch, node)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS commitments (
  block       INTEGER NOT NULL,
  position    INTEGER NOT NULL,
  epoch       INTEGER NOT NULL,                 -- committed again after each void
  cum_root    BLOB NOT NULL,
  total       TEXT NOT NULL,                    -- wei earned in all epochs up to this one
  data_cid    TEXT NOT NULL,
  final_block INTEGER,
  voided_block INTEGER,
  PRIMARY KEY (block, position)
) WITHOUT ROWID;

-- The lines of statements whose blobs this node has, to answer "who earned what for which answer".
CREATE TABLE IF NOT EXISTS statement_lines (
  epoch      INTEGER NOT NULL,
  node       TEXT NOT NULL,
  earner     TEXT NOT NULL,
  request_id BLOB NOT NULL,
  amount     TEXT NOT NULL,
  PRIMARY KEY (epoch, node, earner, request_id)
) WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS lines_by_earner ON statement_lines (earner, epoch);
CREATE INDEX IF NOT EXISTS lines_by_request ON statement_lines (request_id);
