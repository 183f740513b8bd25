-- Add the scores of unrelated recordings of each collection.
CREATE TABLE soundalike.null_models (
    collection_id integer PRIMARY KEY REFERENCES soundalike.collections ON DELETE CASCADE,
    made_at timestamptz NOT NULL DEFAULT now(),
    model jsonb NOT NULL
);
