-- Vectors of passages by any number of models, and which passages still need one. Nothing here
-- needs an extension; where pgvector is there, each model gets an index of its own (vectors.rs).

CREATE TABLE model (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name      text COLLATE "C" NOT NULL,
    dimension integer NOT NULL,
    UNIQUE (name, dimension)
);

-- Passages without a vector of a model. `holder` is whoever makes one, until `until_ms`.
CREATE TABLE pending (
    passage_id bigint NOT NULL REFERENCES passage ON DELETE CASCADE,
    model_id   bigint NOT NULL REFERENCES model ON DELETE CASCADE,
    holder     bigint,
    until_ms   bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (passage_id, model_id)
);

CREATE FUNCTION passage_pending() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO pending (passage_id, model_id) SELECT a.id, m.id FROM added a CROSS JOIN model m;
    RETURN NULL;
END $$;
CREATE TRIGGER passage_pending AFTER INSERT ON passage
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION passage_pending();

-- `code` and `levels` are the two forms of a vector (quantised.rs): codes are read many at once, so
-- the levels lie outside. `digest` stands for the words that it is of.
CREATE TABLE embedding (
    passage_id bigint NOT NULL REFERENCES passage ON DELETE CASCADE,
    model_id   bigint NOT NULL REFERENCES model ON DELETE CASCADE,
    project_id bigint NOT NULL,
    digest     bytea NOT NULL,
    code       bit varying NOT NULL,
    levels     bytea NOT NULL,
    PRIMARY KEY (passage_id, model_id)
) WITH (toast_tuple_target = 128);
ALTER TABLE embedding ALTER COLUMN levels SET STORAGE EXTERNAL;
ALTER TABLE embedding ALTER COLUMN code SET STORAGE PLAIN;
CREATE INDEX embedding_by_project ON embedding (model_id, project_id, passage_id);
CREATE INDEX embedding_by_digest ON embedding (digest, model_id);
