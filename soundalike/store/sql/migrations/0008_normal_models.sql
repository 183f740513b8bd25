-- Add models of what is normal, and the recordings that were watched with them.
CREATE TABLE soundalike.normal_models (
    name text COLLATE "C" PRIMARY KEY,
    version integer NOT NULL DEFAULT 1,
    summary jsonb NOT NULL,
    model bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE soundalike.watched_files (
    name text COLLATE "C" NOT NULL REFERENCES soundalike.normal_models ON DELETE CASCADE,
    uri text COLLATE "C" NOT NULL,
    size_bytes bigint NOT NULL,
    mtime_ns bigint NOT NULL,
    event_id uuid NOT NULL,
    is_told boolean NOT NULL,
    PRIMARY KEY (name, uri, size_bytes, mtime_ns)
);
CREATE INDEX watched_files_untold ON soundalike.watched_files (name) WHERE NOT is_told;

CREATE TABLE soundalike.watch_events (
    event_id uuid NOT NULL,
    name text COLLATE "C" NOT NULL,
    uri text COLLATE "C" NOT NULL,
    size_bytes bigint NOT NULL,
    mtime_ns bigint NOT NULL,
    occurred_at timestamptz NOT NULL,
    is_anomalous boolean NOT NULL,
    details jsonb NOT NULL,
    PRIMARY KEY (event_id, occurred_at)
);
CREATE INDEX watch_events_time ON soundalike.watch_events (name, occurred_at DESC);
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_catalog.pg_extension WHERE extname = 'timescaledb') THEN
        PERFORM create_hypertable('soundalike.watch_events', by_range('occurred_at', INTERVAL '1 month'),
                                  create_default_indexes => false);
    END IF;
END $$;
