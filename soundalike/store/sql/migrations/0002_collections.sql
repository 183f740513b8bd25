-- Add named collections; the existing index becomes the collection "default".
CREATE TABLE soundalike.collections (
    collection_id integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    name text NOT NULL UNIQUE,
    encoder text NOT NULL,
    fingerprint text NOT NULL,
    dimension integer NOT NULL,
    window_s double precision NOT NULL,
    stride_s double precision NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO soundalike.collections (name, encoder, fingerprint, dimension, window_s, stride_s)
SELECT 'default', encoder, fingerprint, dimension, window_s, stride_s FROM soundalike.index_spec;
DROP TABLE soundalike.index_spec;

ALTER TABLE soundalike.windows RENAME TO windows_1;
ALTER TABLE soundalike.windows_1 DROP CONSTRAINT windows_recording_id_fkey;
ALTER TABLE soundalike.windows_1 RENAME CONSTRAINT windows_pkey TO windows_1_pkey;
ALTER TABLE soundalike.windows_1
    ADD COLUMN collection_id integer NOT NULL DEFAULT 1,
    ADD COLUMN quality text NOT NULL DEFAULT 'ok';
ALTER TABLE soundalike.windows_1
    ADD CONSTRAINT windows_1_collection_id_check CHECK (collection_id = 1);
ALTER INDEX IF EXISTS soundalike.windows_embedding RENAME TO windows_1_embedding;
CREATE INDEX windows_1_time ON soundalike.windows_1 USING brin (window_time) WITH (pages_per_range = 32);
UPDATE soundalike.windows_1 SET quality = 'silent' WHERE embedding IS NULL;
-- Move windows of recordings without a known start time from 1970, which may be a real start time.
WITH moved AS (
    DELETE FROM soundalike.windows_1 AS w USING soundalike.recordings AS r
    WHERE r.recording_id = w.recording_id AND r.recorded_at IS NULL
    RETURNING w.*
)
INSERT INTO soundalike.windows_1 (recording_id, window_index, window_time, start_s, end_s, quality, embedding)
SELECT recording_id, window_index, window_time - (timestamptz '1970-01-01Z' - timestamptz '1000-01-01Z'),
       start_s, end_s, quality, embedding
FROM moved;

ALTER TABLE soundalike.files DROP CONSTRAINT files_recording_id_fkey;
ALTER TABLE soundalike.recordings DROP CONSTRAINT recordings_pkey;
ALTER TABLE soundalike.recordings
    ADD COLUMN collection_id integer NOT NULL DEFAULT 1 REFERENCES soundalike.collections ON DELETE CASCADE,
    ADD COLUMN recorded_at_source text;
ALTER TABLE soundalike.recordings
    ALTER COLUMN collection_id DROP DEFAULT,
    ADD PRIMARY KEY (collection_id, recording_id);
UPDATE soundalike.recordings SET recorded_at_source = 'given' WHERE recorded_at IS NOT NULL;

DROP INDEX soundalike.files_recording_id;
ALTER TABLE soundalike.files DROP CONSTRAINT files_pkey;
ALTER TABLE soundalike.files
    ADD COLUMN collection_id integer NOT NULL DEFAULT 1,
    ADD COLUMN size_bytes bigint,
    ADD COLUMN mtime_ns bigint;
ALTER TABLE soundalike.files
    ALTER COLUMN collection_id DROP DEFAULT,
    ADD PRIMARY KEY (collection_id, uri),
    ADD FOREIGN KEY (collection_id, recording_id) REFERENCES soundalike.recordings ON DELETE CASCADE;
CREATE INDEX files_recording_id ON soundalike.files (collection_id, recording_id);

ALTER TABLE soundalike.windows_1
    ADD FOREIGN KEY (collection_id, recording_id) REFERENCES soundalike.recordings ON DELETE CASCADE;
