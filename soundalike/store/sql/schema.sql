-- Everything lies in a schema of its own, so that a shared database stays tidy and `reset` can drop it.
CREATE SCHEMA soundalike;

-- One row: the version of this schema. Older ones are brought up to date by the files in migrations/;
-- code that knows only an older version refuses to work.
CREATE TABLE soundalike.schema_version (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    version integer NOT NULL
);
INSERT INTO soundalike.schema_version (version) VALUES (4);

-- One row for each named index: what its vectors were made with. Vectors of another encoder, dimension,
-- window or stride cannot be compared with them and are refused. The vectors themselves are in the table
-- windows_<collection_id>, whose embeddings have the collection's dimension.
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

-- One row for each distinct content in a collection. The id is made of the SHA-256 of the file's bytes.
CREATE TABLE soundalike.recordings (
    collection_id integer NOT NULL REFERENCES soundalike.collections ON DELETE CASCADE,
    recording_id uuid NOT NULL,
    duration_s double precision NOT NULL CHECK (duration_s > 0),
    -- When the recording began; NULL where nobody said.
    recorded_at timestamptz,
    -- Who said it: given, metadata, filename, mtime; NULL where nobody did.
    recorded_at_source text,
    n_windows integer NOT NULL CHECK (n_windows > 0),
    -- Windows that have an embedding. 0: no search finds the recording.
    n_searchable integer NOT NULL,
    -- Which version of the decoders its windows were made by.
    decoder_version integer NOT NULL,
    indexed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (collection_id, recording_id)
);

-- One row for each path under which a content is known; label and tags belong to the path.
CREATE TABLE soundalike.files (
    collection_id integer NOT NULL,
    -- Compared byte by byte, so that the key's index also finds what lies below a folder.
    uri text COLLATE "C" NOT NULL,
    recording_id uuid NOT NULL,
    label text,
    tags jsonb NOT NULL DEFAULT '{}',
    -- As the file system said when the file was read: equal ones need not be read again.
    size_bytes bigint,
    mtime_ns bigint,
    PRIMARY KEY (collection_id, uri),
    FOREIGN KEY (collection_id, recording_id) REFERENCES soundalike.recordings ON DELETE CASCADE
);
CREATE INDEX files_recording_id ON soundalike.files (collection_id, recording_id);
CREATE INDEX files_label ON soundalike.files (label);
CREATE INDEX files_tags ON soundalike.files USING gin (tags jsonb_path_ops);
