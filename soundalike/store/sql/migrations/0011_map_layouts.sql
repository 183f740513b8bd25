-- Add the layouts of maps of each collection.
CREATE TABLE soundalike.map_layouts (
    collection_id integer NOT NULL REFERENCES soundalike.collections ON DELETE CASCADE,
    name text COLLATE "C" NOT NULL,
    made_at timestamptz NOT NULL DEFAULT now(),
    layout bytea NOT NULL,
    PRIMARY KEY (collection_id, name)
);
