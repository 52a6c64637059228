-- Of how many sessions a project holds memories, so that no recall has to count its shares. The room
-- left on each page lets it change in place.
ALTER TABLE project ADD COLUMN sessions bigint NOT NULL DEFAULT 0;
ALTER TABLE project SET (fillfactor = 80);
UPDATE project SET sessions =
    (SELECT count(*) FROM share WHERE project_id = project.id AND memories > 0);
