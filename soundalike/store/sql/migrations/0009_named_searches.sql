-- Add named searches, and the decisions on what they have found.
CREATE TABLE soundalike.searches (
    search_id integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    collection_id integer NOT NULL REFERENCES soundalike.collections ON DELETE CASCADE,
    name text COLLATE "C" NOT NULL,
    version integer NOT NULL DEFAULT 1,
    definition jsonb NOT NULL,
    vectors bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (collection_id, name)
);

CREATE TABLE soundalike.search_marks (
    mark_id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    search_id integer NOT NULL REFERENCES soundalike.searches ON DELETE CASCADE,
    recording_id uuid,
    uri text COLLATE "C" NOT NULL,
    start_s double precision NOT NULL CHECK (start_s >= 0),
    end_s double precision NOT NULL CHECK (end_s >= start_s AND end_s < 'Infinity'),
    is_right boolean,
    marked_by text NOT NULL,
    marked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    accepted_label text
);
CREATE INDEX search_marks_search ON soundalike.search_marks (search_id, mark_id);
