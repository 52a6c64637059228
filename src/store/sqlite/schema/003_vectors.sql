-- Vectors of passages by any number of models, and which passages still need one.

CREATE TABLE model (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    name      TEXT NOT NULL,
    dimension INTEGER NOT NULL,
    UNIQUE (name, dimension)
) STRICT;

-- Passages without a vector of a model. `holder` is whoever makes one, until `until_ms`.
CREATE TABLE pending (
    model_id   INTEGER NOT NULL REFERENCES model ON DELETE CASCADE,
    passage_id INTEGER NOT NULL REFERENCES passage ON DELETE CASCADE,
    holder     INTEGER,
    until_ms   INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (model_id, passage_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX pending_by_passage ON pending (passage_id);

CREATE TRIGGER passage_pending AFTER INSERT ON passage BEGIN
    INSERT INTO pending (model_id, passage_id) SELECT id, new.id FROM model;
END;

-- The code of each vector (quantised.rs), apart from its row because all codes are read at once.
-- Numbers are never given twice: a process keeps the codes in memory, and one whose row is gone is
-- gone. `digest` stands for the words that the vector is of.
CREATE TABLE code (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    model_id   INTEGER NOT NULL REFERENCES model ON DELETE CASCADE,
    passage_id INTEGER NOT NULL REFERENCES passage ON DELETE CASCADE,
    project_id INTEGER NOT NULL,
    digest     BLOB NOT NULL,
    bits       BLOB NOT NULL,
    UNIQUE (passage_id, model_id)
) STRICT;
CREATE INDEX code_by_digest ON code (digest, model_id);
CREATE INDEX code_by_model ON code (model_id);

-- How many codes are gone for good: whoever keeps them in memory compares.
CREATE TABLE gone (
    codes INTEGER NOT NULL
) STRICT;
INSERT INTO gone (codes) VALUES (0);
CREATE TRIGGER code_gone AFTER DELETE ON code BEGIN
    UPDATE gone SET codes = codes + 1;
END;

CREATE TABLE vector (
    code_id INTEGER PRIMARY KEY REFERENCES code ON DELETE CASCADE,
    levels  BLOB NOT NULL
) STRICT;

-- What a filter lets through, without reading the passages.
CREATE INDEX passage_by_time ON passage (project_id, kind, created_ms);
