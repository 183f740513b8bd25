-- Add speakers and their utterances.
CREATE TABLE soundalike.voice_encoder (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    encoder text NOT NULL,
    fingerprint text NOT NULL,
    dimension integer NOT NULL
);
CREATE TABLE soundalike.speakers (
    speaker_id integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    name text COLLATE "C" NOT NULL UNIQUE,
    enrolled_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE soundalike.utterances (
    speaker_id integer NOT NULL REFERENCES soundalike.speakers ON DELETE CASCADE,
    recording_id uuid NOT NULL,
    uri text COLLATE "C" NOT NULL,
    duration_s double precision NOT NULL CHECK (duration_s > 0),
    speech_s double precision NOT NULL CHECK (speech_s > 0),
    embedding vector NOT NULL,
    enrolled_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (speaker_id, recording_id)
);
CREATE INDEX utterances_uri ON soundalike.utterances (uri);
