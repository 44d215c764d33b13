-- What may be signed once. A row is inserted, with its digest, before the signature exists; the two UNIQUE
-- constraints make a second, different digest for the same request or place impossible.
CREATE TABLE IF NOT EXISTS receipts (
  request_id   BLOB PRIMARY KEY,
  signer       TEXT NOT NULL,
  domain       BLOB NOT NULL,                   -- EIP-712 domain separator: chain and contract
  digest       BLOB NOT NULL,                   -- what is signed
  struct_hash  BLOB NOT NULL,                   -- leaf key of the channel's receipts tree
  channel_id   BLOB NOT NULL,
  seq          INTEGER NOT NULL CHECK (seq > 0),
  model_id     TEXT NOT NULL,
  price        TEXT NOT NULL,                   -- wei
  cumulative   TEXT NOT NULL,                   -- wei
  issued_at    INTEGER NOT NULL,
  body         TEXT NOT NULL,                   -- the receipt as JSON
  terms        TEXT NOT NULL,                   -- who owned what when it was issued, as JSON
  report       TEXT NOT NULL,                   -- attribution report as JSON
  evidence     TEXT NOT NULL,                   -- spans and token texts for display, as JSON
  signature    BLOB,
  UNIQUE (signer, domain, request_id),
  UNIQUE (channel_id, seq)
);

CREATE INDEX IF NOT EXISTS receipts_by_time ON receipts (issued_at, request_id);
CREATE INDEX IF NOT EXISTS receipts_unsigned ON receipts (request_id) WHERE signature IS NULL;

-- Who a receipt promises what, by the split in force when it was requested; replaced by nothing, paid through epochs.
CREATE TABLE IF NOT EXISTS accruals (
  request_id BLOB NOT NULL REFERENCES receipts (request_id),
  earner     TEXT NOT NULL,
  amount     TEXT NOT NULL,
  PRIMARY KEY (request_id, earner)
) WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS accruals_by_earner ON accruals (earner, request_id);
