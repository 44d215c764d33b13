-- Training and evaluation jobs given to a worker. The order is here before the worker hears of it.
CREATE TABLE IF NOT EXISTS training_jobs (
    id TEXT PRIMARY KEY,
    fence INTEGER NOT NULL,
    datanet INTEGER NOT NULL,
    version INTEGER NOT NULL,
    spec_json TEXT NOT NULL,
    status_json TEXT NOT NULL,
    state TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS training_jobs_by_state ON training_jobs (state);

-- The model registry as last read. Amounts are decimal text.
CREATE TABLE IF NOT EXISTS models (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    owner TEXT NOT NULL,
    status INTEGER NOT NULL,
    terms_json TEXT NOT NULL,
    UNIQUE (name, version)
) STRICT;
