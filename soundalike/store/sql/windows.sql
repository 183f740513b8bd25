-- The windows of one collection. With TimescaleDB this is a hypertable over window_time.
CREATE TABLE soundalike.windows_{collection} (
    collection_id integer NOT NULL DEFAULT {collection} CHECK (collection_id = {collection}),
    recording_id uuid NOT NULL,
    window_index integer NOT NULL,
    -- Start time of the window: the start time of the recording, or 1000-01-01 UTC if unknown, plus
    -- start_s. Never the time of indexing.
    window_time timestamptz NOT NULL,
    start_s double precision NOT NULL,
    end_s double precision NOT NULL,
    -- ok, or the reason for a missing embedding: silent (constant) or clipped.
    quality text NOT NULL DEFAULT 'ok',
    -- Unit length. NULL: searches skip the window.
    embedding halfvec({dimension}),
    PRIMARY KEY (recording_id, window_index, window_time),
    FOREIGN KEY (collection_id, recording_id) REFERENCES soundalike.recordings ON DELETE CASCADE
)
