-- Add labels of spans inside recordings.
CREATE TABLE soundalike.annotations (
    annotation_id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    collection_id integer NOT NULL,
    recording_id uuid NOT NULL,
    start_s double precision NOT NULL CHECK (start_s >= 0),
    end_s double precision NOT NULL CHECK (end_s >= start_s AND end_s < 'Infinity'),
    low_hz double precision,
    high_hz double precision,
    label text COLLATE "C" NOT NULL CHECK (label <> ''),
    source text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    FOREIGN KEY (collection_id, recording_id) REFERENCES soundalike.recordings ON DELETE CASCADE
);
CREATE UNIQUE INDEX annotations_once ON soundalike.annotations (
    collection_id, recording_id, start_s, end_s, label, coalesce(low_hz, -1), coalesce(high_hz, -1)
);
CREATE INDEX annotations_label ON soundalike.annotations (collection_id, label);
