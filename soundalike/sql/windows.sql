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
    embedding halfvec({dimension}),
    PRIMARY KEY (recording_id, window_index, window_time)
)
