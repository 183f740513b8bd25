-- Paths compare byte by byte, so that the key's index also finds what lies below a folder.
ALTER TABLE soundalike.files ALTER COLUMN uri TYPE text COLLATE "C";
