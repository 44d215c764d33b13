-- One row per paid request. A row is never deleted: it is what makes a retried request free.
CREATE TABLE IF NOT EXISTS jobs (
  request_id         BLOB PRIMARY KEY,          -- keccak(channel, idempotency key)
  channel_id         BLOB NOT NULL,
  idempotency_key    TEXT NOT NULL,
  body_digest        BLOB NOT NULL,             -- sha256 of the canonical order: the same key with another body conflicts
  session_id         BLOB,                      -- which API key pays, NULL where the client signs its own vouchers
  order_json         TEXT NOT NULL,
  model_json         TEXT NOT NULL,             -- the registry snapshot at request time
  prompt_salt        BLOB NOT NULL,
  reserved           TEXT NOT NULL,             -- wei, worst case
  requested_at       INTEGER NOT NULL,
  parameters_version INTEGER NOT NULL,
  state              TEXT NOT NULL CHECK (state IN ('accepted', 'answered', 'receipted', 'abandoned')),
  fence              INTEGER NOT NULL DEFAULT 0,
  result_json        TEXT,
  failure            TEXT,
  CHECK ((state IN ('answered', 'receipted')) = (result_json IS NOT NULL))
) WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS jobs_open ON jobs (channel_id, state) WHERE state IN ('accepted', 'answered');
CREATE INDEX IF NOT EXISTS jobs_by_state ON jobs (state, requested_at);
