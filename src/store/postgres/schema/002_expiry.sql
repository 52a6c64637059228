-- What expires next is asked for after work, and must not cost a look at everything.
CREATE INDEX memory_by_expiry ON memory (expires_ms) WHERE expires_ms IS NOT NULL;
