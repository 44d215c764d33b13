-- Contributions as the chain has them, with their rows; `contribution` is the id on chain, `position` the place
-- in the batch. Both together order rows by who was first.
CREATE TABLE IF NOT EXISTS contributions (
    id INTEGER PRIMARY KEY,
    datanet INTEGER NOT NULL,
    contributor TEXT NOT NULL,
    batch_root BLOB NOT NULL,
    batch_cid TEXT NOT NULL,
    curator TEXT,
    reasons_cid TEXT
) STRICT;
CREATE INDEX IF NOT EXISTS contributions_by_datanet ON contributions (datanet, id);

CREATE TABLE IF NOT EXISTS contribution_rows (
    contribution INTEGER NOT NULL REFERENCES contributions (id),
    position INTEGER NOT NULL,
    digest BLOB NOT NULL,
    cid TEXT NOT NULL,
    gated INTEGER NOT NULL,
    licence TEXT NOT NULL,
    consent TEXT NOT NULL,
    verdict TEXT,
    PRIMARY KEY (contribution, position)
) STRICT;
CREATE INDEX IF NOT EXISTS contribution_rows_by_digest ON contribution_rows (digest);

CREATE TABLE IF NOT EXISTS versions (
    datanet INTEGER NOT NULL,
    version INTEGER NOT NULL,
    parent INTEGER NOT NULL,
    manifest_cid TEXT NOT NULL,
    content_root BLOB NOT NULL,
    row_count INTEGER NOT NULL,
    PRIMARY KEY (datanet, version)
) STRICT;

-- A gated row's secret, wrapped for one reader. Deleting a row's grants is what erases it.
CREATE TABLE IF NOT EXISTS row_grants (
    datanet INTEGER NOT NULL,
    digest BLOB NOT NULL,
    reader BLOB NOT NULL,
    ephemeral BLOB NOT NULL,
    wrapped BLOB NOT NULL,
    PRIMARY KEY (datanet, digest, reader)
) STRICT;
