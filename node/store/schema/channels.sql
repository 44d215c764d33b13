-- A mirror of PaymentChannels as last read from the chain; the chain decides, this only answers fast.
CREATE TABLE IF NOT EXISTS channels (
  channel_id      BLOB PRIMARY KEY,
  payer           TEXT NOT NULL,
  payee           TEXT NOT NULL,
  withdraw_delay  INTEGER NOT NULL,
  deposited       TEXT NOT NULL,
  claimed         TEXT NOT NULL,
  withdrawable_at INTEGER NOT NULL,
  read_at         INTEGER NOT NULL
) WITHOUT ROWID;

-- The best voucher of each channel: cumulative only grows.
CREATE TABLE IF NOT EXISTS vouchers (
  channel_id    BLOB PRIMARY KEY,
  cumulative    TEXT NOT NULL,
  receipt_count INTEGER NOT NULL,
  receipts_root BLOB NOT NULL,
  valid_before  INTEGER NOT NULL,
  signer        TEXT NOT NULL,
  signature     BLOB NOT NULL
) WITHOUT ROWID;

-- Vouchers that have opened a request. A claimed voucher is public; it must not open another one.
CREATE TABLE IF NOT EXISTS spent_vouchers (
  digest     BLOB PRIMARY KEY,
  request_id BLOB
) WITHOUT ROWID;

-- API keys. Only the hash of a key is kept; the session signer's private key is sealed under the node's secret.
CREATE TABLE IF NOT EXISTS sessions (
  session_id BLOB PRIMARY KEY,                  -- sha256 of the API key
  prefix     TEXT NOT NULL,                     -- shown to its owner, useless alone
  channel_id BLOB NOT NULL,
  signer     TEXT NOT NULL UNIQUE,
  sealed_key BLOB NOT NULL,
  created_at INTEGER NOT NULL,
  revoked_at INTEGER
) WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS sessions_by_channel ON sessions (channel_id);
