-- The first schema of the embedded store. Never change a migration that was released; add one.

-- What the store is: its id, made once, tells two stores apart.
CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE project (
    id  INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE
) STRICT;

-- Which project a directory means, learned where git could be seen.
CREATE TABLE directory (
    path       TEXT PRIMARY KEY,
    project_id INTEGER NOT NULL REFERENCES project
) STRICT, WITHOUT ROWID;

CREATE TABLE session (
    id            INTEGER PRIMARY KEY,
    client_id     TEXT NOT NULL UNIQUE,
    project_id    INTEGER NOT NULL REFERENCES project,
    started_ms    INTEGER NOT NULL,
    last_ms       INTEGER NOT NULL,
    next_position INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX session_by_time ON session (last_ms);

-- What a project holds of a session: one session may move between several. `session.project_id` is
-- the one it is bound to. A title is words, so that of one project is not shown in another.
CREATE TABLE share (
    project_id INTEGER NOT NULL REFERENCES project,
    session_id INTEGER NOT NULL REFERENCES session ON DELETE CASCADE,
    title      TEXT,
    memories   INTEGER NOT NULL DEFAULT 0,
    terms      INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (project_id, session_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX share_by_session ON share (session_id);

-- Numbers are never given twice: a reader may still hold that of a forgotten memory.
CREATE TABLE memory (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    name          BLOB NOT NULL UNIQUE,
    project_id    INTEGER NOT NULL REFERENCES project,
    session_id    INTEGER REFERENCES session,
    position      INTEGER NOT NULL DEFAULT 0,
    kind          INTEGER NOT NULL,
    pinned        INTEGER NOT NULL,
    created_ms    INTEGER NOT NULL,
    expires_ms    INTEGER,
    superseded_by INTEGER REFERENCES memory DEFERRABLE INITIALLY DEFERRED,
    key           TEXT,
    source        TEXT NOT NULL,
    event         TEXT UNIQUE,
    content_hash  BLOB NOT NULL,
    metadata      TEXT,
    reply_start   INTEGER,
    content       TEXT NOT NULL
) STRICT;
CREATE INDEX memory_by_time ON memory (project_id, created_ms) WHERE superseded_by IS NULL;
CREATE INDEX memory_by_session ON memory (session_id, position);
CREATE INDEX memory_by_hash ON memory (content_hash) WHERE superseded_by IS NULL;
CREATE UNIQUE INDEX memory_by_key ON memory (project_id, key)
    WHERE key IS NOT NULL AND superseded_by IS NULL;
CREATE INDEX memory_by_successor ON memory (superseded_by) WHERE superseded_by IS NOT NULL;

CREATE TABLE tag (
    tag       TEXT NOT NULL,
    memory_id INTEGER NOT NULL REFERENCES memory ON DELETE CASCADE,
    PRIMARY KEY (tag, memory_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX tag_by_memory ON tag (memory_id);

-- Further events that brought the very words of a memory: they are forgotten with it.
CREATE TABLE repeat (
    event     TEXT PRIMARY KEY,
    memory_id INTEGER NOT NULL REFERENCES memory ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX repeat_by_memory ON repeat (memory_id);

-- Events whose memory was forgotten: a replay must not bring it back.
CREATE TABLE forgotten (
    event TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;

-- The index holds live memories only. Ranking reads nothing but these tables.

-- In how many passages of a project a term occurs.
CREATE TABLE term (
    id         INTEGER PRIMARY KEY,
    term       TEXT NOT NULL,
    project_id INTEGER NOT NULL REFERENCES project,
    passages   INTEGER NOT NULL,
    UNIQUE (term, project_id)
) STRICT;

-- `terms` is the passage's term vector (vector.rs); kind, place and times repeat the memory's so
-- that weighing a candidate reads one row.
CREATE TABLE passage (
    id         INTEGER PRIMARY KEY,
    memory_id  INTEGER NOT NULL REFERENCES memory ON DELETE CASCADE,
    start      INTEGER NOT NULL,
    end        INTEGER NOT NULL,
    project_id INTEGER NOT NULL,
    kind       INTEGER NOT NULL,
    session_id INTEGER,
    position   INTEGER NOT NULL,
    created_ms INTEGER NOT NULL,
    expires_ms INTEGER,
    length     INTEGER NOT NULL,
    terms      BLOB NOT NULL
) STRICT;
CREATE INDEX passage_by_memory ON passage (memory_id);
CREATE INDEX passage_by_place ON passage (session_id, position) WHERE session_id IS NOT NULL;

-- From term to passages. FTS5 is used as a compressed posting list and nothing more: a row's text
-- is the ids of its passage's terms, its rowid the passage's.
CREATE VIRTUAL TABLE posting USING fts5 (
    terms, content = '', contentless_delete = 1, detail = none, tokenize = 'ascii'
);

-- What each project holds of each kind, live and indexed, so that nobody has to count.
CREATE TABLE holding (
    project_id INTEGER NOT NULL REFERENCES project,
    kind       INTEGER NOT NULL,
    memories   INTEGER NOT NULL,
    passages   INTEGER NOT NULL,
    terms      INTEGER NOT NULL,
    PRIMARY KEY (project_id, kind)
) STRICT, WITHOUT ROWID;
