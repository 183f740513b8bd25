-- Add the layout of the vector index, and the centre of an index of bits.
ALTER TABLE soundalike.collections
    ADD COLUMN layout text NOT NULL DEFAULT 'halfvec' CHECK (layout IN ('halfvec', 'bit')),
    ADD COLUMN centre halfvec;
