-- Compare paths byte by byte, so that the index of the key also finds the paths in a folder.
ALTER TABLE soundalike.files ALTER COLUMN uri TYPE text COLLATE "C";
