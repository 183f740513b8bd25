-- Add the scores of events in unrelated recordings, by how they were found; missing until events are searched.
ALTER TABLE soundalike.null_models ADD COLUMN events jsonb NOT NULL DEFAULT '{}';
