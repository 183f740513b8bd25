-- Everything lies in a schema of its own, so that a shared database stays tidy and `reset` can drop it.
CREATE SCHEMA soundalike;

-- One row: the version of this schema. Code that knows another version refuses to work.
CREATE TABLE soundalike.schema_version (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    version integer NOT NULL
);
INSERT INTO soundalike.schema_version (version) VALUES (1);

-- One row once something was indexed: what the vectors were made with. Vectors of another encoder,
-- dimension, window or stride cannot be compared with them and are refused.
CREATE TABLE soundalike.index_spec (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    encoder text NOT NULL,
    fingerprint text NOT NULL,
    dimension integer NOT NULL,
    window_s double precision NOT NULL,
    stride_s double precision NOT NULL
);

-- One row for each distinct content. The id is made of the SHA-256 of the file's bytes.
CREATE TABLE soundalike.recordings (
    recording_id uuid PRIMARY KEY,
    duration_s double precision NOT NULL CHECK (duration_s > 0),
    -- When the recording began; NULL where nobody said.
    recorded_at timestamptz,
    n_windows integer NOT NULL CHECK (n_windows > 0),
    indexed_at timestamptz NOT NULL DEFAULT now()
);

-- One row for each path under which a content is known; label and tags belong to the path.
CREATE TABLE soundalike.files (
    uri text PRIMARY KEY,
    recording_id uuid NOT NULL REFERENCES soundalike.recordings ON DELETE CASCADE,
    label text,
    tags jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX files_recording_id ON soundalike.files (recording_id);
CREATE INDEX files_label ON soundalike.files (label);
CREATE INDEX files_tags ON soundalike.files USING gin (tags jsonb_path_ops);
-- One row for each window. Where TimescaleDB is present this is a hypertable over window_time.
CREATE TABLE soundalike.windows (
    recording_id uuid NOT NULL REFERENCES soundalike.recordings ON DELETE CASCADE,
    window_index integer NOT NULL,
    -- When the window's sound began: the recording's start, or 1970-01-01 UTC where that is unknown,
    -- plus start_s. A function of the content, never the time of indexing.
    window_time timestamptz NOT NULL,
    start_s double precision NOT NULL,
    end_s double precision NOT NULL,
    -- Length 1. NULL: the window is silent; it is kept, but no search can find it.
    embedding halfvec(16),
    PRIMARY KEY (recording_id, window_index, window_time)
)
;
