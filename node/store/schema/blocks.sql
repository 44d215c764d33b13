-- Content-addressed blocks, keyed by their sha2-256 digest; the codec belongs to the link, not to the bytes.
CREATE TABLE IF NOT EXISTS blocks (
    digest BLOB PRIMARY KEY CHECK (length(digest) = 32),
    data BLOB NOT NULL
) STRICT;

-- A pin keeps a whole graph: everything reachable from the root survives collection.
CREATE TABLE IF NOT EXISTS pins (
    cid TEXT PRIMARY KEY,
    name TEXT NOT NULL
) STRICT;
