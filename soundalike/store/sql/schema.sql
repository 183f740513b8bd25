-- All tables are in a separate schema, which keeps a shared database tidy and which `reset` can drop.
CREATE SCHEMA soundalike;

-- One row: the version of this schema. The files in migrations/ update older versions; older programs
-- reject newer versions.
CREATE TABLE soundalike.schema_version (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    version integer NOT NULL
);
INSERT INTO soundalike.schema_version (version) VALUES (12);

-- One row per collection with the specification of its vectors. Vectors of another encoder, dimension,
-- window or stride are not comparable and are rejected. The vectors are in the table
-- windows_<collection_id>, whose embeddings have the collection's dimension.
CREATE TABLE soundalike.collections (
    collection_id integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    name text NOT NULL UNIQUE,
    encoder text NOT NULL,
    fingerprint text NOT NULL,
    dimension integer NOT NULL,
    window_s double precision NOT NULL,
    stride_s double precision NOT NULL,
    -- How the vector index keeps vectors: in half precision, or one bit for each number.
    layout text NOT NULL DEFAULT 'halfvec' CHECK (layout IN ('halfvec', 'bit')),
    -- An index of bits tells whether a number is above that of the centre; NULL without such an index.
    centre halfvec,
    created_at timestamptz NOT NULL DEFAULT now()
);

-- The scores of unrelated recordings of a collection, for false-alarm rates; see docs/scores.md. Missing until
-- the first search or the end of indexing. Events of unrelated recordings are compared at the first search for
-- events; their models go when the null model is made again.
CREATE TABLE soundalike.null_models (
    collection_id integer PRIMARY KEY REFERENCES soundalike.collections ON DELETE CASCADE,
    made_at timestamptz NOT NULL DEFAULT now(),
    model jsonb NOT NULL,
    events jsonb NOT NULL DEFAULT '{}'
);

-- One row per distinct content of a collection. The id is derived from the SHA-256 of the file's bytes.
CREATE TABLE soundalike.recordings (
    collection_id integer NOT NULL REFERENCES soundalike.collections ON DELETE CASCADE,
    recording_id uuid NOT NULL,
    duration_s double precision NOT NULL CHECK (duration_s > 0),
    -- Start time; NULL if unknown.
    recorded_at timestamptz,
    -- Source of the start time: given, metadata, filename, mtime; NULL if unknown.
    recorded_at_source text,
    n_windows integer NOT NULL CHECK (n_windows > 0),
    -- Number of windows with an embedding; searches skip recordings with 0. -1: the windows were removed
    -- because of their age; see docs/backup.md.
    n_searchable integer NOT NULL,
    -- Version of the decoders.
    decoder_version integer NOT NULL,
    indexed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (collection_id, recording_id)
);

-- One row per path of a content; label and tags belong to the path.
CREATE TABLE soundalike.files (
    collection_id integer NOT NULL,
    -- Compared byte by byte, so that the index of the key also finds the paths in a folder.
    uri text COLLATE "C" NOT NULL,
    recording_id uuid NOT NULL,
    label text,
    tags jsonb NOT NULL DEFAULT '{}',
    -- Size and modification time when the file was read; a file with the same ones is not read again.
    size_bytes bigint,
    mtime_ns bigint,
    PRIMARY KEY (collection_id, uri),
    FOREIGN KEY (collection_id, recording_id) REFERENCES soundalike.recordings ON DELETE CASCADE
);
CREATE INDEX files_recording_id ON soundalike.files (collection_id, recording_id);
CREATE INDEX files_label ON soundalike.files (label);
CREATE INDEX files_tags ON soundalike.files USING gin (tags jsonb_path_ops);

-- Labels of spans inside recordings. The times belong to the content, so a changed file loses them.
CREATE TABLE soundalike.annotations (
    annotation_id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    collection_id integer NOT NULL,
    recording_id uuid NOT NULL,
    -- In seconds from the recording's start; equal for a point.
    start_s double precision NOT NULL CHECK (start_s >= 0),
    end_s double precision NOT NULL CHECK (end_s >= start_s AND end_s < 'Infinity'),
    -- NULL if unknown.
    low_hz double precision,
    high_hz double precision,
    label text COLLATE "C" NOT NULL CHECK (label <> ''),
    -- Path of the label file, or the name of another origin.
    source text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    FOREIGN KEY (collection_id, recording_id) REFERENCES soundalike.recordings ON DELETE CASCADE
);
-- Importing a file twice changes nothing.
CREATE UNIQUE INDEX annotations_once ON soundalike.annotations (
    collection_id, recording_id, start_s, end_s, label, coalesce(low_hz, -1), coalesce(high_hz, -1)
);
CREATE INDEX annotations_label ON soundalike.annotations (collection_id, label);

-- One row per named search of a collection.
CREATE TABLE soundalike.searches (
    search_id integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    collection_id integer NOT NULL REFERENCES soundalike.collections ON DELETE CASCADE,
    name text COLLATE "C" NOT NULL,
    -- Grows each time the search is saved again.
    version integer NOT NULL DEFAULT 1,
    -- What is looked for: query, examples, thresholds, filters; see soundalike/searches/definition.py.
    definition jsonb NOT NULL,
    -- Vectors of the query and the examples, float32; the search works without their recordings.
    vectors bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (collection_id, name)
);

-- One row per decision on a place that a named search has found. Rows are never changed: of equal places the
-- latest row counts, and taking back a decision deletes the latest row of all. Places stay when their
-- recording is removed.
CREATE TABLE soundalike.search_marks (
    mark_id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    search_id integer NOT NULL REFERENCES soundalike.searches ON DELETE CASCADE,
    -- NULL: the right places were accepted as annotations.
    recording_id uuid,
    -- Path when the place was marked.
    uri text COLLATE "C" NOT NULL,
    start_s double precision NOT NULL CHECK (start_s >= 0),
    end_s double precision NOT NULL CHECK (end_s >= start_s AND end_s < 'Infinity'),
    -- NULL: a mark was cleared.
    is_right boolean,
    -- Name of the person; empty if unknown.
    marked_by text NOT NULL,
    marked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- Label of the annotations that were added when places were accepted; they have this time, too.
    accepted_label text
);
CREATE INDEX search_marks_search ON soundalike.search_marks (search_id, mark_id);

-- One row: the encoder of all speakers; none without speakers.
CREATE TABLE soundalike.voice_encoder (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    encoder text NOT NULL,
    fingerprint text NOT NULL,
    dimension integer NOT NULL
);

-- One row per enrolled speaker. Speakers belong to no collection.
CREATE TABLE soundalike.speakers (
    speaker_id integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    name text COLLATE "C" NOT NULL UNIQUE,
    enrolled_at timestamptz NOT NULL DEFAULT now()
);

-- One row per enrolled recording of a speaker; the mean of the vectors is the speaker's voice.
CREATE TABLE soundalike.utterances (
    speaker_id integer NOT NULL REFERENCES soundalike.speakers ON DELETE CASCADE,
    recording_id uuid NOT NULL,
    uri text COLLATE "C" NOT NULL,
    duration_s double precision NOT NULL CHECK (duration_s > 0),
    -- Length without pauses.
    speech_s double precision NOT NULL CHECK (speech_s > 0),
    embedding vector NOT NULL,
    enrolled_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (speaker_id, recording_id)
);
CREATE INDEX utterances_uri ON soundalike.utterances (uri);

-- One row per model of what is normal, per machine or site. Models belong to no collection.
CREATE TABLE soundalike.normal_models (
    name text COLLATE "C" PRIMARY KEY,
    -- Grows with each change; a change that was made from another version is refused.
    version integer NOT NULL DEFAULT 1,
    -- What the model says of itself: encoder, windows, method, threshold, numbers.
    summary jsonb NOT NULL,
    -- Vectors and scores of the normal recordings, as NumPy's npz.
    model bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

-- One row per watched file that was scored; it is scored again only after a change.
CREATE TABLE soundalike.watched_files (
    name text COLLATE "C" NOT NULL REFERENCES soundalike.normal_models ON DELETE CASCADE,
    uri text COLLATE "C" NOT NULL,
    size_bytes bigint NOT NULL,
    mtime_ns bigint NOT NULL,
    event_id uuid NOT NULL,
    -- False: hooks have still to be told.
    is_told boolean NOT NULL,
    PRIMARY KEY (name, uri, size_bytes, mtime_ns)
);
CREATE INDEX watched_files_untold ON soundalike.watched_files (name) WHERE NOT is_told;

-- One row per score of a watched file. With TimescaleDB this is a hypertable over occurred_at.
CREATE TABLE soundalike.watch_events (
    event_id uuid NOT NULL,
    name text COLLATE "C" NOT NULL,
    uri text COLLATE "C" NOT NULL,
    size_bytes bigint NOT NULL,
    mtime_ns bigint NOT NULL,
    -- Start of the recording; the time of the file's last change where that is unknown.
    occurred_at timestamptz NOT NULL,
    is_anomalous boolean NOT NULL,
    details jsonb NOT NULL,
    PRIMARY KEY (event_id, occurred_at)
);
CREATE INDEX watch_events_time ON soundalike.watch_events (name, occurred_at DESC);

-- One row per layout of a collection's map; see docs/map.md. Places of points stay until a layout is made again.
CREATE TABLE soundalike.map_layouts (
    collection_id integer NOT NULL REFERENCES soundalike.collections ON DELETE CASCADE,
    -- Kind of points, method, neighbours and seed.
    name text COLLATE "C" NOT NULL,
    made_at timestamptz NOT NULL DEFAULT now(),
    -- The points that the layout was made from and their places, as NumPy's npz.
    layout bytea NOT NULL,
    PRIMARY KEY (collection_id, name)
);
