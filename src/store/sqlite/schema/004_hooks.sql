-- What hooks leave behind for later hooks, and the ledger of what they gave to the client.

-- Kinds: store/trace.rs. `project` is a key and not a reference: a session may begin in a project
-- that never gets a memory.
CREATE TABLE trace (
    kind    INTEGER NOT NULL,
    session TEXT NOT NULL,
    name    TEXT NOT NULL,
    project TEXT NOT NULL,
    at_ms   INTEGER NOT NULL,
    value   TEXT NOT NULL,
    PRIMARY KEY (kind, session, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX trace_by_time ON trace (at_ms);

-- A memory that is forgotten takes its lines along.
CREATE TABLE injection (
    id        INTEGER PRIMARY KEY,
    session   TEXT NOT NULL,
    prompt    TEXT NOT NULL,
    memory_id INTEGER NOT NULL REFERENCES memory ON DELETE CASCADE,
    outcome   INTEGER NOT NULL,
    rank      INTEGER NOT NULL,
    score     REAL NOT NULL,
    tokens    INTEGER NOT NULL,
    terms     TEXT NOT NULL,
    at_ms     INTEGER NOT NULL,
    used      INTEGER,
    UNIQUE (session, prompt, memory_id)
) STRICT;
CREATE INDEX injection_by_memory ON injection (memory_id);
CREATE INDEX injection_by_time ON injection (at_ms);

-- What somebody decided about a project: that it is another one, and that hooks leave it alone.
CREATE TABLE rule (
    project TEXT PRIMARY KEY,
    alias   TEXT,
    is_off  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What a session starts with is found without reading all of a project.
CREATE INDEX memory_standing ON memory (project_id, pinned, created_ms)
    WHERE superseded_by IS NULL AND kind = 1 AND (pinned = 1 OR key IS NOT NULL);
CREATE INDEX memory_summary ON memory (project_id, created_ms)
    WHERE superseded_by IS NULL AND kind = 2;
