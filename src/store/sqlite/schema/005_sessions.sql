-- Of how many sessions a project holds memories, so that no recall has to count its shares.
ALTER TABLE project ADD COLUMN sessions INTEGER NOT NULL DEFAULT 0;
UPDATE project SET sessions =
    (SELECT count(*) FROM share WHERE project_id = project.id AND memories > 0);
