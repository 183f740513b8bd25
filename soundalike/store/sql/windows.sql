-- The windows of one collection. Where TimescaleDB is present this is a hypertable over window_time.
CREATE TABLE soundalike.windows_{collection} (
    collection_id integer NOT NULL DEFAULT {collection} CHECK (collection_id = {collection}),
    recording_id uuid NOT NULL,
    window_index integer NOT NULL,
    -- When the window's sound began: the recording's start, or 1000-01-01 UTC where that is unknown,
    -- plus start_s. A function of the content, never the time of indexing.
    window_time timestamptz NOT NULL,
    start_s double precision NOT NULL,
    end_s double precision NOT NULL,
    -- ok, or why the window has no embedding: silent (constant) or clipped.
    quality text NOT NULL DEFAULT 'ok',
    -- Length 1. NULL: the window is kept, but no search can find it.
    embedding halfvec({dimension}),
    PRIMARY KEY (recording_id, window_index, window_time),
    FOREIGN KEY (collection_id, recording_id) REFERENCES soundalike.recordings ON DELETE CASCADE
)
