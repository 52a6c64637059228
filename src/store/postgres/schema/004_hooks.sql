-- What hooks leave behind for later hooks, and the ledger of what they gave to the client.

-- Kinds: store/trace.rs. `project` is a key and not a reference: a session may begin in a project
-- that never gets a memory.
CREATE TABLE trace (
    kind    smallint NOT NULL,
    session text COLLATE "C" NOT NULL,
    name    text COLLATE "C" NOT NULL,
    project text COLLATE "C" NOT NULL,
    at_ms   bigint NOT NULL,
    value   text COLLATE "C" NOT NULL,
    PRIMARY KEY (kind, session, name)
);
CREATE INDEX trace_by_time ON trace (at_ms);

-- A memory that is forgotten takes its lines along.
CREATE TABLE injection (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    session   text COLLATE "C" NOT NULL,
    prompt    text COLLATE "C" NOT NULL,
    memory_id bigint NOT NULL REFERENCES memory ON DELETE CASCADE,
    outcome   smallint NOT NULL,
    rank      bigint NOT NULL,
    score     double precision NOT NULL,
    tokens    bigint NOT NULL,
    terms     text COLLATE "C" NOT NULL,
    at_ms     bigint NOT NULL,
    used      boolean,
    UNIQUE (session, prompt, memory_id)
);
CREATE INDEX injection_by_memory ON injection (memory_id);
CREATE INDEX injection_by_time ON injection (at_ms);

-- What somebody decided about a project: that it is another one, and that hooks leave it alone.
CREATE TABLE rule (
    project text COLLATE "C" PRIMARY KEY,
    alias   text COLLATE "C",
    is_off  boolean NOT NULL
);

-- What a session starts with is found without reading all of a project.
CREATE INDEX memory_standing ON memory (project_id, pinned, created_ms)
    WHERE superseded_by IS NULL AND kind = 1 AND (pinned OR key IS NOT NULL);
CREATE INDEX memory_summary ON memory (project_id, created_ms)
    WHERE superseded_by IS NULL AND kind = 2;
